import type { EventDeclaration, JsonSchema, TaskTemplate } from '../task-template.ts';
import { canonicalJson } from '../template-digest.ts';

/** A declaration of an event by a step. */
export interface EventSource extends EventDeclaration {
  /** The template as `namespace/name@version`. */
  template: string;
  namespace: string;
  step: string;
}

/** A form of an event's payload, and its declarations. */
export interface EventPayloadForm {
  schema: JsonSchema;
  declarations: EventSource[];
}

/** An event with its declarations in all templates. */
export interface CataloguedEvent {
  name: string;
  /** All declarations, sorted by template and step. */
  declarations: EventSource[];
  /** One payload type, or several if the declared schemas differ. */
  payloads: EventPayloadForm[];
}

/**
 * Returns the events that templates declare, sorted by name. The order depends only on names, so that generated files
 * change only with the declarations.
 */
export function eventCatalogue(templates: readonly TaskTemplate[]): CataloguedEvent[] {
  const events = new Map<string, CataloguedEvent>();
  for (const declaration of templates.flatMap(declarationsOf).sort(byPlace)) {
    const event = events.get(declaration.name) ?? { name: declaration.name, declarations: [], payloads: [] };
    events.set(declaration.name, event);
    event.declarations.push(declaration);
    const same = event.payloads.find(({ schema }) => sameSchema(schema, declaration.schema));
    if (same) same.declarations.push(declaration);
    else event.payloads.push({ schema: declaration.schema, declarations: [declaration] });
  }
  return [...events.values()].sort((a, b) => compared(a.name, b.name));
}

/** Returns a warning for each event whose declarations have different schemas. */
export function differingSchemas(events: readonly CataloguedEvent[]): string[] {
  return events
    .filter(({ payloads }) => payloads.length > 1)
    .map(({ name, payloads }) => {
      const places = payloads.map(({ declarations: [first] }) => `step ${first!.step} of ${first!.template}`);
      return `${name} is declared with ${payloads.length} schemas: by ${places.join(', by ')}; all of them are included; make them equal or rename one event`;
    });
}

/** Compares strings by code unit, regardless of the locale. */
export function compared(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function declarationsOf({ namespace, name, version, steps }: TaskTemplate): EventSource[] {
  const template = `${namespace}/${name}@${version}`;
  return steps.flatMap((step) =>
    step.publishesEvents.map((event) => ({ ...event, template, namespace, step: step.name })),
  );
}

function byPlace(a: EventSource, b: EventSource): number {
  return compared(a.template, b.template) || compared(a.step, b.step);
}

function sameSchema(a: JsonSchema, b: JsonSchema): boolean {
  return a === b || canonicalJson(a) === canonicalJson(b);
}
