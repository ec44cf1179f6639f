import { camelCase } from '../model/key-case.ts';

/**
 * A condition of a search. The query of the API, its description, and the options of the command line derive from it.
 * Only data, because the command line reads it whenever it starts.
 */
interface FilterField {
  /**
   * - `text`: a text
   * - `texts`: a text that may be repeated; all of them must apply
   * - `states`: states, of which one must apply
   * - `flag`: on or off
   * - `time`: a time or an age
   * - `object`: a JSON object
   */
  readonly kind: keyof KindValues;
  /** The name of the condition in the library, in snake_case, if it has another one. The option has this name too. */
  readonly own?: string;
  /** The letter of the short option. */
  readonly short?: string;
  /** What the option takes, as the help shows it. */
  readonly value?: string;
  /** The help of the option. A condition without it is another name of `own`, and has no option. */
  readonly help?: string;
  /** The description of the parameter, in Markdown. */
  readonly description?: string;
  readonly example?: string | readonly string[];
}

/** The value of an option, by kind. */
interface KindValues {
  text: string;
  texts: string[];
  states: string[];
  flag: boolean;
  time: string;
  object: Record<string, unknown>;
}

const TIME_FORMS = 'a time (2026-01-31T12:00Z, yesterday) or age (90s, 15m, 2h, 24h30m, 7d)';

const since = (event: string) =>
  ({ kind: 'time', value: 'time', help: `only tasks ${event} since ${TIME_FORMS}` }) as const;
const before = (event: string) =>
  ({ kind: 'time', value: 'time', help: `only tasks ${event} before a time or age` }) as const;

/** The conditions of a search for tasks or steps, under the names of their parameters, in the order of the help. */
export const TASK_FILTER_FIELDS = {
  namespace: { kind: 'text', short: 'n', value: 'namespace', help: 'only tasks of this namespace' },
  name: {
    kind: 'text',
    value: 'name',
    help: 'only tasks of this template',
    description: 'The name of the template.',
  },
  template_version: {
    kind: 'text',
    value: 'version',
    help: 'only tasks of this version, or range such as ">=1.2.0 <2.0.0"',
    description: 'A version, or a range.',
    example: '>=1.2.0 <2.0.0',
  },
  state: {
    kind: 'states',
    own: 'status',
    short: 's',
    value: 'state',
    help: 'only tasks in this state; may be repeated',
    description: 'One state or several, separated by commas.',
    example: ['error', 'cancelled'],
  },
  open: {
    kind: 'flag',
    help: 'only tasks that have not ended',
    description: 'Only tasks that have not ended.',
  },
  ended: {
    kind: 'flag',
    help: 'only tasks that have ended',
    description: 'Only tasks that have ended.',
  },
  stale: {
    kind: 'flag',
    help: 'only tasks that exceed a limit of their lifecycle',
    description: 'Only tasks that exceed a limit of their lifecycle.',
  },
  tag: {
    kind: 'texts',
    value: 'tag',
    help: 'only tasks with this tag; may be repeated',
    description: 'May be repeated. A task must have all given tags.',
  },
  initiator: { kind: 'text', value: 'name', help: 'only tasks of this initiator' },
  source: { kind: 'text', value: 'name', help: 'only tasks of this source system' },
  source_system: { kind: 'text', own: 'source', description: 'The same as `source`.' },
  reason: { kind: 'text', value: 'text', help: 'only tasks that were created with this reason' },
  correlation_id: { kind: 'text', value: 'uuid', help: 'only tasks with this correlation id' },
  parent_correlation_id: { kind: 'text', value: 'uuid', help: 'only tasks with this parent correlation id' },
  key: {
    kind: 'text',
    value: 'key',
    help: 'only tasks with this idempotency key',
    description: 'The idempotency key that the task was created with.',
  },
  created_after: since('created'),
  created_before: before('created'),
  ended_after: since('ended'),
  ended_before: before('ended'),
  updated_after: since('updated'),
  updated_before: before('updated'),
  context: {
    kind: 'object',
    value: 'json',
    help: 'only tasks whose context contains this JSON object; slow',
    description: 'JSON that the context contains. May be slow.',
  },
  step: {
    kind: 'text',
    value: 'name',
    help: 'only tasks with this step; the options below then apply to it',
    description: 'The name of a step. The conditions below then apply to that step.',
  },
  step_state: { kind: 'text', value: 'state', help: 'only tasks with a step in this state' },
  handler: { kind: 'text', value: 'name', help: 'only tasks with a step of this handler' },
  error_type: { kind: 'text', value: 'type', help: 'only tasks with a step that failed with this error type' },
  error: {
    kind: 'text',
    value: 'text',
    help: 'only tasks with a step whose error contains this text; slow',
    description: 'A part of the first line of the error. May be slow.',
  },
  worker: {
    kind: 'text',
    value: 'name',
    help: 'only tasks with a step that this worker runs, or that failed there last',
    description:
      'The worker that runs the step, or that last ran it before it failed. Steps that the worker completed are not found.',
  },
} as const satisfies Record<string, FilterField>;

type Fields = typeof TASK_FILTER_FIELDS;

/** `created_after` as `createdAfter`. */
type CamelCase<Name extends string> = Name extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : Name;
type OwnName<Name extends keyof Fields> = CamelCase<
  Fields[Name] extends { own: infer Own extends string } ? Own : Name
>;

/** The conditions under their names in the library, with the values that the options of the command line have. */
export type TaskFilterValues = { -readonly [Name in keyof Fields as OwnName<Name>]?: KindValues[Fields[Name]['kind']] };

/** A condition, with its parameter and its names in the library. */
export interface NamedFilterField extends FilterField {
  parameter: string;
  name: keyof TaskFilterValues;
}

/** All conditions, in order. Several parameters can have the same name in the library. */
export const NAMED_FILTER_FIELDS: readonly NamedFilterField[] = Object.entries<FilterField>(TASK_FILTER_FIELDS).map(
  ([parameter, field]) => ({
    ...field,
    parameter,
    name: camelCase(field.own ?? parameter) as keyof TaskFilterValues,
  }),
);
