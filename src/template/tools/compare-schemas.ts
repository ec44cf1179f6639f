import { isFields } from '../../model/json.ts';
import type { JsonSchema } from '../task-template.ts';

/** A difference between the results of a step and the results that another step expects. */
export interface SchemaFinding {
  code: 'MISSING_REQUIRED_FIELD' | 'TYPE_MISMATCH' | 'MISSING_OPTIONAL_FIELD' | 'EXTRA_PRODUCER_FIELD';
  /** Whether the difference breaks the consumer. */
  breaking: boolean;
  /** The place, such as `order.total` or `items[].price`. */
  field: string;
  message: string;
}

/** The outcome of {@link compareSchemas}. */
export interface SchemaComparison {
  compatibility: 'compatible' | 'compatible_with_warnings' | 'incompatible';
  findings: SchemaFinding[];
}

/** Maximum depth, because schemas may refer to themselves. */
const DEEPEST = 50;

/**
 * Returns whether results with one schema satisfy a consumer with another. Recurses into objects and the items of
 * arrays.
 */
export function compareSchemas(producer: JsonSchema, consumer: JsonSchema): SchemaComparison {
  const findings = differences(producer, consumer, '');
  const isBroken = findings.some(({ breaking }) => breaking);
  const compatibility = isBroken ? 'incompatible' : findings.length > 0 ? 'compatible_with_warnings' : 'compatible';
  return { compatibility, findings };
}

function differences(producer: unknown, consumer: unknown, at: string, depth = 0): SchemaFinding[] {
  if (!isFields(producer) || !isFields(consumer) || depth > DEEPEST) return [];
  if (!fits(typesOf(producer), typesOf(consumer))) {
    const message = `the producer returns ${phrase(producer)}, the consumer expects ${phrase(consumer)}`;
    return [{ code: 'TYPE_MISMATCH', breaking: true, field: at || '(root)', message }];
  }
  const place = (name: string) => (at === '' ? name : `${at}.${name}`);
  const [made, wanted] = [propertiesOf(producer), propertiesOf(consumer)];
  const [sure, needed] = [requiredOf(producer), requiredOf(consumer)];
  const inside = Object.keys(wanted).flatMap((name): SchemaFinding[] => {
    const field = place(name);
    const isNeeded = needed.has(name);
    if (!Object.hasOwn(made, name)) return [missing(field, isNeeded, 'the producer does not declare it')];
    const deeper = differences(made[name], wanted[name], field, depth + 1);
    return isNeeded && !sure.has(name) ? [missing(field, true, 'the producer may omit it'), ...deeper] : deeper;
  });
  const undeclared = [...needed].filter((name) => !Object.hasOwn(wanted, name) && !Object.hasOwn(made, name));
  const extra = Object.keys(made).filter((name) => !Object.hasOwn(wanted, name) && !needed.has(name));
  return [
    ...inside,
    ...undeclared.map((name) => missing(place(name), true, 'the producer does not declare it')),
    ...extra.map((name): SchemaFinding => {
      const message = 'the consumer does not use it';
      return { code: 'EXTRA_PRODUCER_FIELD', breaking: false, field: place(name), message };
    }),
    ...differences(producer.items, consumer.items, `${at}[]`, depth + 1),
  ];
}

function missing(field: string, isNeeded: boolean, why: string): SchemaFinding {
  const code = isNeeded ? 'MISSING_REQUIRED_FIELD' : 'MISSING_OPTIONAL_FIELD';
  return { code, breaking: isNeeded, field, message: `${isNeeded ? 'required' : 'optional'}, but ${why}` };
}

/** The types that a schema declares. Undefined means any. */
export function typesOf(schema: unknown): readonly string[] | undefined {
  if (!isFields(schema)) return undefined;
  if (schema.type === undefined) return isFields(schema.properties) ? ['object'] : undefined;
  return [schema.type].flat().map(String);
}

function fits(made: readonly string[] | undefined, wanted: readonly string[] | undefined): boolean {
  if (!made || !wanted) return true;
  return made.every((type) => wanted.includes(type) || (type === 'integer' && wanted.includes('number')));
}

/** The properties of an object schema. */
export function propertiesOf(schema: unknown): Readonly<Record<string, unknown>> {
  return isFields(schema) && isFields(schema.properties) ? schema.properties : {};
}

/** The names of the properties that an object must have. */
export function requiredOf(schema: unknown): ReadonlySet<string> {
  return new Set(isFields(schema) && Array.isArray(schema.required) ? schema.required.map(String) : []);
}

function phrase(schema: unknown): string {
  return (typesOf(schema) ?? ['anything']).join(' or ');
}
