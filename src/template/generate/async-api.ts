import type { EventCondition, TaskTemplate } from '../task-template.ts';
import { placedSchema } from './draft-07.ts';
import {
  type CataloguedEvent,
  differingSchemas,
  type EventPayloadForm,
  type EventSource,
  eventCatalogue,
} from './event-catalogue.ts';
import { ENVELOPE_SCHEMAS, envelopeOf } from './event-envelope.ts';

/** The title, version and description of an AsyncAPI document. */
export interface AsyncApiOptions {
  title: string;
  /** The version of the document, not of AsyncAPI. */
  version: string;
  description?: string | undefined;
}

/** An AsyncAPI 3.0 document. */
export interface AsyncApiDocument {
  asyncapi: '3.0.0';
  info: { title: string; version: string; description?: string };
  defaultContentType: 'application/json';
  channels: Record<string, Channel>;
  operations: Record<string, ReturnType<typeof operationOf>>;
  components: { messages: Record<string, ReturnType<typeof messageOf>>; schemas: Record<string, unknown> };
}

interface Channel {
  address: string;
  title: string;
  description: string;
  messages: Record<string, { $ref: string }>;
}

/** The condition of an event, as the end of a sentence. */
const WHEN: Record<EventCondition, string> = {
  success: 'when the step succeeds',
  failure: 'when an attempt fails',
  retryable_failure: 'when an attempt fails and will be retried',
  permanent_failure: 'when an attempt fails and will not be retried',
  always: 'after each attempt',
};

/**
 * Returns the events of templates as an AsyncAPI 3.0 document. It has a channel for each event, and an operation for
 * each step that publishes the event. Messages have the form in which they leave the process, with the schema of the
 * payload. `warnings` lists events whose declarations differ, and features that such a document cannot express.
 *
 * @example
 * const { document } = asyncApiOf(templates, { title: 'shop', version: '1.0.0' });
 */
export function asyncApiOf(
  templates: readonly TaskTemplate[],
  { title, version, description }: AsyncApiOptions,
): { document: AsyncApiDocument; warnings: string[] } {
  const events = eventCatalogue(templates);
  const warnings = differingSchemas(events);
  const document: AsyncApiDocument = {
    asyncapi: '3.0.0',
    info: { title, version, ...(description === undefined ? {} : { description }) },
    defaultContentType: 'application/json',
    channels: {},
    operations: {},
    components: { messages: {}, schemas: { ...ENVELOPE_SCHEMAS } },
  };
  for (const event of events) warnings.push(...addEvent(document, event));
  return { document, warnings };
}

function addEvent(document: AsyncApiDocument, event: CataloguedEvent): string[] {
  const { name, declarations, payloads } = event;
  const { channels, operations, components } = document;
  const channel: Channel = { address: name, title: name, description: descriptionOf(declarations), messages: {} };
  channels[name] = channel;
  const warnings = payloads.flatMap((payload, index) => {
    const key = payloads.length === 1 ? name : `${name}-${index + 1}`;
    const { schema, notes } = placedSchema(payload.schema, `#/components/schemas/${key}`);
    components.schemas[key] = schema;
    components.messages[key] = messageOf(name, key, payload);
    channel.messages[key] = { $ref: `#/components/messages/${key}` };
    for (const declaration of payload.declarations) {
      operations[freeKey(operations, declaration)] = operationOf(declaration, key);
    }
    return notes.map((note) => `schema of ${key}: ${note}`);
  });
  return warnings;
}

function messageOf(name: string, key: string, { declarations }: EventPayloadForm) {
  const places = declarations.map(({ step, template }) => `step ${step} of ${template}`);
  return {
    name,
    title: name,
    summary: `Published by ${[...new Set(places)].join(', ')}.`,
    contentType: 'application/json',
    payload: envelopeOf(name, `#/components/schemas/${key}`),
  };
}

function operationOf(declaration: EventSource, messageKey: string) {
  const { name, step, template, namespace, description, condition, deliveryMode, publisher } = declaration;
  return {
    action: 'send',
    channel: { $ref: `#/channels/${name}` },
    title: `${name} by ${step}`,
    summary: description,
    description: `Published by step ${step} of ${template} ${WHEN[condition]}.`,
    tags: [{ name: namespace }],
    messages: [{ $ref: `#/channels/${name}/messages/${messageKey}` }],
    'x-tasker': {
      template,
      step,
      condition,
      delivery_mode: deliveryMode,
      ...(publisher === null ? {} : { publisher }),
    },
  };
}

function descriptionOf(declarations: readonly EventSource[]): string {
  return [...new Set(declarations.map(({ description }) => description))].join('\n');
}

/**
 * Returns an unused key. Names of templates and steps can contain any character, so keys may collide and get a number.
 */
function freeKey(operations: object, { template, step, name }: EventSource): string {
  const wanted = [template, step, name].join('.').replaceAll(/[^\w.-]/g, '_');
  for (let number = 1; ; number++) {
    const key = number === 1 ? wanted : `${wanted}-${number}`;
    if (!Object.hasOwn(operations, key)) return key;
  }
}
