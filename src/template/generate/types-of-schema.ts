import { type Fields, isFields } from '../../model/json.ts';
import { below, localReference, lookUp } from './schema-walk.ts';
import { commentOf, freeName, keyOf, quoted, typeNameOf } from './type-name.ts';

/** The types of a schema. */
export interface SchemaTypes {
  /** Exported declarations: first the type itself, then the types that it refers to. */
  declarations: string[];
  /** Notes about parts that a type cannot express, for example `/properties/amount: …`. */
  unknown: string[];
}

/** Options of {@link typesOfSchema}. */
export interface SchemaTypesOptions {
  /** The name of the type. */
  name: string;
  /** The prefix of type names for `$defs`. */
  stem: string;
  /** Lines of the comment before the type. */
  comment: readonly string[];
  /** Names that are already used. New names are added. */
  taken: Set<string>;
}

/** A type as text. `open` means a union or an intersection, which needs parentheses inside another type. */
interface TypeText {
  text: string;
  open: boolean;
}

const UNKNOWN: TypeText = { text: 'unknown', open: false };
const SIMPLE: Record<string, string> = {
  string: 'string',
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
  null: 'null',
};
const OBJECT_KEYWORDS = ['properties', 'required', 'additionalProperties', 'patternProperties'];
const ARRAY_KEYWORDS = ['items', 'prefixItems', 'additionalItems'];
const NOT_IN_INTERFACES = new Set(['$ref', 'allOf', 'anyOf', 'oneOf', 'enum', 'const']);
const ANNOTATIONS = new Set([
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'format',
  '$comment',
  '$schema',
  '$id',
  '$defs',
  'definitions',
  '$anchor',
]);

/**
 * Returns TypeScript types for a JSON Schema. Every value that the schema accepts is assignable to the type.
 * Constraints that a type cannot express (ranges, patterns, `not`, `if`) are omitted, and the type is `unknown` if
 * nothing remains. A schema with `properties` is treated as an object, and one with `items` as an array, even without
 * `type`.
 */
export function typesOfSchema(schema: unknown, options: SchemaTypesOptions): SchemaTypes {
  return new SchemaReader(schema, options).read();
}

/** Reads one schema and declares the types of its references. */
class SchemaReader {
  readonly #root: unknown;
  readonly #options: SchemaTypesOptions;
  readonly #nameOf = new Map<string, string>();
  readonly #declarations: string[] = [];
  readonly #unknown: string[] = [];
  /** For each alias, the aliases it contains directly, not inside an object or array. They must not form a cycle. */
  readonly #madeOf = new Map<string, Set<string>>();

  constructor(root: unknown, options: SchemaTypesOptions) {
    this.#root = root;
    this.#options = options;
    this.#nameOf.set('#', options.name);
  }

  read(): SchemaTypes {
    const { name, comment } = this.#options;
    this.#declare(name, this.#root, { at: '', comment });
    return { declarations: this.#declarations, unknown: this.#unknown };
  }

  #declare(name: string, schema: unknown, { at, comment }: { at: string; comment: readonly string[] }): void {
    const place = this.#declarations.push('') - 1;
    const body = isInterface(schema)
      ? `interface ${name} ${this.#object(schema, at)}`
      : `type ${name} = ${this.#type(schema, at, name).text};`;
    this.#declarations[place] = `${commentOf([...comment, ...commentLines(schema)])}export ${body}\n`;
  }

  /**
   * Returns the type of a schema. `within` is the alias whose body this is part of, if not inside an object or array.
   */
  #type(schema: unknown, at: string, within?: string): TypeText {
    if (schema === false) return { text: 'never', open: false };
    if (!isFields(schema)) return UNKNOWN;
    if ('const' in schema) return literal(schema.const);
    if (Array.isArray(schema.enum)) return union(schema.enum.map(literal));
    const parts = this.#parts(schema, at, within);
    if (parts.length > 0) return joined(parts, '&');
    const omitted = Object.keys(schema).filter((keyword) => !ANNOTATIONS.has(keyword));
    if (omitted.length > 0) this.#note(at, `no type can express ${omitted.join(', ')}`);
    return UNKNOWN;
  }

  /** Returns the parts of the intersection that a value must match. */
  #parts(schema: Fields, at: string, within?: string): TypeText[] {
    const list = (keyword: string) =>
      (Array.isArray(schema[keyword]) ? (schema[keyword] as unknown[]) : []).map((one, index) =>
        this.#type(one, below(at, keyword, index), within),
      );
    const parts = typeof schema.$ref === 'string' ? [this.#reference(schema.$ref, at, within)] : [];
    parts.push(...list('allOf'));
    for (const keyword of ['anyOf', 'oneOf']) if (Array.isArray(schema[keyword])) parts.push(union(list(keyword)));
    const own = this.#own(schema, at, parts.length > 0);
    if (own) parts.push(own);
    const specific = parts.filter(({ text }) => text !== 'unknown');
    return specific.length > 0 ? specific : parts.slice(0, 1);
  }

  /** Returns the type from `type` and its related keywords. */
  #own(schema: Fields, at: string, hasOthers: boolean): TypeText | undefined {
    const types = typesIn(schema);
    const isPlain = !OBJECT_KEYWORDS.some((keyword) => keyword in schema);
    // Skipped, because `type: object` next to alternatives with properties would only add an index signature.
    if (types.length === 0 || (hasOthers && isPlain && types.join() === 'object')) return undefined;
    return union(types.map((type) => this.#oneType(type, schema, at)));
  }

  #oneType(type: string, schema: Fields, at: string): TypeText {
    if (type === 'object') return { text: this.#object(schema, at), open: false };
    if (type === 'array') return { text: this.#array(schema, at), open: false };
    return { text: SIMPLE[type] ?? 'unknown', open: false };
  }

  #object(schema: Fields, at: string): string {
    const properties = isFields(schema.properties) ? schema.properties : {};
    const required = new Set(Array.isArray(schema.required) ? (schema.required as unknown[]) : []);
    const members = Object.entries(properties).map(([name, property]) => {
      const { text } = this.#type(property, below(at, 'properties', name));
      return `${commentOf(commentLines(property))}${keyOf(name)}${required.has(name) ? '' : '?'}: ${text};`;
    });
    for (const name of required) {
      if (typeof name === 'string' && !Object.hasOwn(properties, name)) members.push(`${keyOf(name)}: unknown;`);
    }
    const others = this.#otherProperties(schema, { at, alone: members.length === 0 });
    if (others !== undefined) members.push(`[key: string]: ${others};`);
    return `{\n${members.map((member) => `  ${indented(member)}`).join('\n')}\n}`;
  }

  /** Returns the type of unlisted properties. Undefined if none is declared. */
  #otherProperties(schema: Fields, { at, alone }: { at: string; alone: boolean }): string | undefined {
    const { additionalProperties: others, patternProperties } = schema;
    if (patternProperties !== undefined) {
      this.#note(below(at, 'patternProperties'), 'properties by pattern are unknown');
      return 'unknown';
    }
    if (others === false) return alone ? 'never' : undefined;
    if (others === undefined) return alone ? 'unknown' : undefined;
    const place = below(at, 'additionalProperties');
    if (alone) return this.#type(others, place).text;
    if (others !== true) this.#note(place, 'unlisted properties are unknown');
    return 'unknown';
  }

  #array(schema: Fields, at: string): string {
    const isOlder = Array.isArray(schema.items);
    const first = isOlder ? schema.items : schema.prefixItems;
    const [rest, restAt] = isOlder ? [schema.additionalItems, 'additionalItems'] : [schema.items, 'items'];
    const each = () => (rest === undefined ? 'unknown[]' : `${enclosed(this.#type(rest, below(at, restAt)))}[]`);
    if (!Array.isArray(first) || first.length === 0) return rest === false ? '[]' : each();
    const least = typeof schema.minItems === 'number' ? schema.minItems : 0;
    const items = first.map((item, index) => {
      const type = this.#type(item, below(at, isOlder ? 'items' : 'prefixItems', index));
      return index < least ? type.text : `${enclosed(type)}?`;
    });
    return `[${[...items, ...(rest === false ? [] : [`...${each()}`])].join(', ')}]`;
  }

  #reference(reference: string, at: string, within?: string): TypeText {
    const local = localReference(this.#root, reference);
    const target = lookUp(this.#root, local);
    if (target === undefined) {
      this.#note(at, `the reference ${reference} cannot be resolved within the schema`);
      return UNKNOWN;
    }
    const known = this.#nameOf.get(local);
    const name = known ?? this.#nameFor(local);
    if (within !== undefined && !isInterface(target) && !this.#compose(within, name)) {
      this.#note(at, `the reference ${reference} refers to itself`);
      return UNKNOWN;
    }
    if (known === undefined) this.#declare(name, target, { at: local.slice(1), comment: [] });
    return { text: name, open: false };
  }

  #nameFor(local: string): string {
    const last = local.slice(local.lastIndexOf('/') + 1);
    const name = freeName(`${this.#options.stem}${typeNameOf(last).replace(/^_/, '')}`, this.#options.taken);
    this.#nameOf.set(local, name);
    return name;
  }

  /** Records that an alias contains another. Returns false if it would then contain itself. */
  #compose(alias: string, part: string): boolean {
    if (this.#isMadeOf(part, alias)) return false;
    this.#madeOf.set(alias, (this.#madeOf.get(alias) ?? new Set()).add(part));
    return true;
  }

  #isMadeOf(alias: string, part: string): boolean {
    return alias === part || [...(this.#madeOf.get(alias) ?? [])].some((one) => this.#isMadeOf(one, part));
  }

  #note(at: string, why: string): void {
    this.#unknown.push(`${at || '/'}: ${why}`);
  }
}

/** Returns the types of a value, including `null` if `nullable`. Without `type`, they are derived from the keywords. */
function typesIn(schema: Fields): string[] {
  const given = [schema.type ?? []].flat().filter((type) => typeof type === 'string');
  if (given.length > 0) return [...new Set([...given, ...(schema.nullable === true ? ['null'] : [])])];
  if (OBJECT_KEYWORDS.some((keyword) => keyword in schema)) return ['object'];
  return ARRAY_KEYWORDS.some((keyword) => keyword in schema) ? ['array'] : [];
}

function isInterface(schema: unknown): schema is Fields {
  if (!isFields(schema) || typesIn(schema).join() !== 'object') return false;
  return !Object.keys(schema).some((keyword) => NOT_IN_INTERFACES.has(keyword));
}

function commentLines(schema: unknown): string[] {
  if (!isFields(schema)) return [];
  const text = schema.description ?? schema.title;
  return [...(typeof text === 'string' ? [text] : []), ...(schema.deprecated === true ? ['@deprecated'] : [])];
}

function literal(value: unknown): TypeText {
  return { text: literalText(value), open: false };
}

function literalText(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `[${value.map(literalText).join(', ')}]`;
  if (!isFields(value)) return String(value);
  const members = Object.entries(value).map(([key, one]) => `${keyOf(key)}: ${literalText(one)}`);
  return members.length === 0 ? '{}' : `{ ${members.join('; ')} }`;
}

function union(types: readonly TypeText[]): TypeText {
  return types.some(({ text }) => text === 'unknown') ? UNKNOWN : joined(types, '|');
}

/** Joins types without duplicates. Unions inside an intersection are put in parentheses. */
function joined(types: readonly TypeText[], sign: '|' | '&'): TypeText {
  const texts = [...new Set(types.map((type) => (sign === '&' && types.length > 1 ? enclosed(type) : type.text)))];
  if (texts.length === 0) return { text: 'never', open: false };
  return texts.length === 1
    ? { text: texts[0]!, open: types.some(({ open }) => open) }
    : { text: texts.join(` ${sign} `), open: true };
}

function enclosed({ text, open }: TypeText): string {
  return open ? `(${text})` : text;
}

function indented(text: string): string {
  return text.replaceAll('\n', '\n  ');
}
