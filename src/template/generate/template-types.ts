import { grouped } from '../../model/grouped.ts';
import type { JsonSchema, TaskTemplate } from '../task-template.ts';
import { canonicalJson } from '../template-digest.ts';
import { highestVersion } from '../version-order.ts';
import { type CataloguedEvent, compared, differingSchemas, eventCatalogue } from './event-catalogue.ts';
import { commentOf, freeName, keyOf, quoted, typeNameOf } from './type-name.ts';
import { typesOfSchema } from './types-of-schema.ts';
import { WAIT_TYPE_NAMES, waitTypes } from './wait-types.ts';

/** A generated file of types, with counts and notes. */
export interface TemplateTypes {
  text: string;
  /** The number of events, and of templates with an input schema. */
  counts: { events: number; inputs: number };
  /** Warnings about events whose declarations differ. */
  warnings: string[];
  /** Parts of the types that are `unknown` although a schema is more specific. */
  unknown: string[];
}

const HEAD = `// Written by \`tasker generate types\` from the project's templates: change those, and run it again.\n`;
/** A module can be augmented only in a program that contains it. */
const IMPORT = `import type {} from 'tasker-core';\n`;
const EVENT_MAP = 'EventPayloads';
const INPUT_MAP = 'TaskInputs';
const OUTPUT_MAP = 'TaskOutputs';
const RESULT_MAP = 'StepResults';

/** The file while it is being written. */
interface Draft {
  declarations: string[];
  unknown: string[];
  taken: Set<string>;
}

/**
 * Returns TypeScript types for templates: a type for the payload of each event, and a map `EventPayloads` from event
 * names to these types. A map `TaskInputs` has the contexts of tasks, `TaskOutputs` their outputs, `StepResults` the results
 * of steps with a `result_schema`, `WaitResults` the results of steps that wait, and `TaskTypes` the requests that `createTask` checks: without a version, those of the highest version. Equal templates produce equal text.
 *
 * @example
 * const { text } = typesOf(templates);
 */
export function typesOf(templates: readonly TaskTemplate[]): TemplateTypes {
  const events = eventCatalogue(templates);
  const draft: Draft = {
    declarations: [],
    unknown: [],
    taken: new Set([EVENT_MAP, INPUT_MAP, OUTPUT_MAP, RESULT_MAP, ...WAIT_TYPE_NAMES]),
  };
  const payloads = writeEvents(draft, events);
  const inputs = writeInputs(draft, templates);
  const signals = new Map<string, string>();
  const waits = waitTypes(templates, ({ name, schema }) =>
    schema ? writeSignal(draft, { name, schema }, signals) : 'unknown',
  );
  const maps = [mapOf(EVENT_MAP, 'The payload of each event, by its name.', payloads)];
  if (inputs.length > 0) maps.push(mapOf(INPUT_MAP, 'The context of tasks, by their template.', inputs));
  const outputs = writeOutputs(draft, templates);
  if (outputs.length > 0) maps.push(mapOf(OUTPUT_MAP, 'The output of complete tasks, by their template.', outputs));
  const results = writeResults(draft, templates);
  if (results.length > 0) maps.push(mapOf(RESULT_MAP, 'The results of steps, by their template and step.', results));
  const known = new Set(inputs.map(([key]) => key));
  return {
    text: [HEAD, IMPORT, ...draft.declarations, ...waits, ...maps, augmentation(templates, known)].join('\n'),
    counts: { events: events.length, inputs: inputs.length },
    warnings: differingSchemas(events),
    unknown: draft.unknown,
  };
}

/** Returns the types that `createTask` and similar methods use: an entry for each template, even without a schema. */
function augmentation(templates: readonly TaskTemplate[], known: ReadonlySet<string>): string {
  const byKey = new Map(templates.map((template) => [keyOfTemplate(template), template]));
  const entries = [...byKey].sort(([a], [b]) => compared(a, b));
  const active = activeKeys(templates);
  const members = entries.map(([key, { namespace, name, version, defaultContext }]) => {
    const texts = { namespace, name, version };
    const fields = Object.entries(texts).map(([field, text]) => `${field}: ${quoted(text)};`);
    fields.push(`active: ${active.has(key)};`);
    const context = known.has(key) ? `${INPUT_MAP}[${quoted(key)}]` : 'Record<string, unknown>';
    const defaults = known.has(key) && defaultContext ? Object.keys(defaultContext) : [];
    if (defaults.length > 0) fields.push(`defaults: ${defaults.map(quoted).join(' | ')};`);
    return `    ${quoted(key)}: { ${fields.join(' ')} context: ${context} };\n`;
  });
  return `declare module 'tasker-core' {\n  /** The requests that createTask accepts. */\n  interface TaskTypes {\n${members.join('')}  }\n}\n`;
}

/** Returns the keys of the highest versions, which registering the templates makes active. */
function activeKeys(templates: readonly TaskTemplate[]): Set<string> {
  const byName = grouped(templates, ({ namespace, name }) => `${namespace}/${name}`);
  return new Set([...byName].map(([name, all]) => `${name}@${highestVersion(all.map(({ version }) => version))}`));
}

function keyOfTemplate({ namespace, name, version }: TaskTemplate): string {
  return `${namespace}/${name}@${version}`;
}

type Entry = readonly [key: string, type: string];

function writeEvents(draft: Draft, events: readonly CataloguedEvent[]): Entry[] {
  // Reserve all names first, so that types of subschemas cannot take them.
  const named = events.map((event) => ({ event, type: freeName(`${typeNameOf(event.name)}Payload`, draft.taken) }));
  return named.map(({ event, type }) => {
    if (event.payloads.length > 1) writeAlternatives(draft, event, type);
    else
      write(draft, {
        schema: event.payloads[0]!.schema,
        name: type,
        label: event.name,
        comment: descriptionLines(event),
      });
    return [event.name, type];
  });
}

/** Writes the type of an event with several schemas as a union. */
function writeAlternatives(draft: Draft, event: CataloguedEvent, type: string): void {
  const names = event.payloads.map((_, index) => freeName(`${type}${index + 1}`, draft.taken));
  draft.declarations.push(`${commentOf(descriptionLines(event))}export type ${type} = ${names.join(' | ')};\n`);
  for (const [index, { schema, declarations }] of event.payloads.entries()) {
    write(draft, {
      schema,
      name: names[index]!,
      label: event.name,
      comment: descriptionLines({ ...event, declarations }),
    });
  }
}

function writeInputs(draft: Draft, templates: readonly TaskTemplate[]): Entry[] {
  const known = new Map<string, string>();
  return sortedByKey(templates).flatMap(([key, { namespace, name, inputSchema: schema }]): Entry[] => {
    const stem = `${typeNameOf(namespace)}${typeNameOf(name)}`;
    const about = { schema, stem, kind: 'Input', label: key, comment: `The context of ${key}.` };
    return schema ? [[key, writeOnce(draft, about, known)]] : [];
  });
}

/** Writes the types of outputs. A value without an `output_schema` is unknown. */
function writeOutputs(draft: Draft, templates: readonly TaskTemplate[]): Entry[] {
  const known = new Map<string, string>();
  return sortedByKey(templates).flatMap(([key, { namespace, name, output, outputSchema }]): Entry[] => {
    if (!output) return [];
    const stem = `${typeNameOf(namespace)}${typeNameOf(name)}`;
    const properties = Object.fromEntries(Object.keys(output).map((value) => [value, {}]));
    const schema = outputSchema ?? { type: 'object', required: Object.keys(output), properties };
    const about = { schema, stem, kind: 'Output', label: `output of ${key}`, comment: `The output of ${key}.` };
    return [[key, writeOnce(draft, about, known)]];
  });
}

/** Writes the types of the results of steps with a `result_schema`. */
function writeResults(draft: Draft, templates: readonly TaskTemplate[]): Entry[] {
  const known = new Map<string, string>();
  return sortedByKey(templates).flatMap(([key, { namespace, name, steps }]): Entry[] => {
    const members = steps.flatMap(({ name: step, resultSchema: schema }) => {
      if (!schema) return [];
      const stem = `${typeNameOf(namespace)}${typeNameOf(name)}${typeNameOf(step)}`;
      const label = `result of step ${step} of ${key}`;
      const type = writeOnce(draft, { schema, stem, kind: 'Result', label, comment: `The ${label}.` }, known);
      return [`${keyOf(step)}: ${type}`];
    });
    return members.length > 0 ? [[key, `{ ${members.join('; ')} }`]] : [];
  });
}

/** Returns the templates by `namespace/name@version`, in the order of these keys. */
function sortedByKey(templates: readonly TaskTemplate[]): [string, TaskTemplate][] {
  return templates
    .map((template): [string, TaskTemplate] => [keyOfTemplate(template), template])
    .sort(([a], [b]) => compared(a, b));
}

/** Writes a type once for each name and schema, and returns its name. `known`: the types that were written before. */
function writeOnce(
  draft: Draft,
  {
    schema,
    stem,
    kind,
    label,
    comment,
  }: { schema: unknown; stem: string; kind: string; label: string; comment: string },
  known: Map<string, string>,
): string {
  const same = `${stem} ${canonicalJson(schema as JsonSchema)}`;
  const before = known.get(same);
  if (before !== undefined) return before;
  const type = freeName(`${stem}${kind}`, draft.taken);
  known.set(same, type);
  write(draft, { schema, name: type, label, comment: [comment] });
  return type;
}

/** Writes the type of a signal's payload, once for each schema, and returns its name. */
function writeSignal(
  draft: Draft,
  { name, schema }: { name: string; schema: JsonSchema },
  known: Map<string, string>,
): string {
  const same = `${name} ${canonicalJson(schema)}`;
  const type = known.get(same) ?? freeName(`${typeNameOf(name)}Signal`, draft.taken);
  if (!known.has(same)) {
    write(draft, { schema, name: type, label: `signal ${name}`, comment: [`The payload of the signal ${name}.`] });
  }
  known.set(same, type);
  return type;
}

function write(
  draft: Draft,
  { schema, name, label, comment }: { schema: unknown; name: string; label: string; comment: string[] },
): void {
  const stem = name.replace(/(Payload|Input|Output|Result|Signal)\d*$/, '');
  const { declarations, unknown } = typesOfSchema(schema, { name, stem, comment, taken: draft.taken });
  draft.declarations.push(...declarations);
  draft.unknown.push(...unknown.map((note) => `${label} ${note}`));
}

/** Returns comment lines: the descriptions of an event, and the steps that publish it. */
function descriptionLines({ declarations }: Pick<CataloguedEvent, 'declarations'>): string[] {
  const descriptions = [...new Set(declarations.map(({ description }) => description))];
  const by = [...new Set(declarations.map(({ step, template }) => `step ${step} of ${template}`))];
  return [...descriptions, `Published by ${by.join(', ')}.`];
}

function mapOf(name: string, comment: string, entries: readonly Entry[]): string {
  const members = entries.map(([key, type]) => `  ${quoted(key)}: ${type};\n`);
  return `${commentOf([comment])}export interface ${name} {${members.length > 0 ? '\n' : ''}${members.join('')}}\n`;
}
