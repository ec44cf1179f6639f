import type { api } from '../../api/client.ts';
import type { StepState, TaskState } from '../../api/types.ts';
import { lookOf } from '../../parts/state.tsx';
import { dateText } from '../../parts/words.ts';

/** The query of the task list. */
export type TaskQuery = NonNullable<Parameters<typeof api.tasks.list>[0]>;

/** A filter of the task list. Its name is the query parameter, of this page and of the API. */
export interface Field {
  name: keyof TaskQuery;
  label: string;
  placeholder: string;
  /** The allowed values, if they are limited. */
  values?: readonly StepState[];
}

export const FIELDS: readonly Field[] = [
  { name: 'name', label: 'Template', placeholder: 'fulfil_order' },
  { name: 'template_version', label: 'Version', placeholder: '>=1.2.0' },
  { name: 'tag', label: 'Tag', placeholder: 'vip' },
  { name: 'initiator', label: 'Initiator', placeholder: 'api' },
  { name: 'source_system', label: 'Source', placeholder: 'checkout' },
  { name: 'correlation_id', label: 'Correlation id', placeholder: 'UUID' },
  { name: 'key', label: 'Idempotency key', placeholder: 'order-17' },
  { name: 'step', label: 'Step', placeholder: 'charge_card' },
  {
    name: 'step_state',
    label: 'Step state',
    placeholder: 'a state',
    values: [
      'error',
      'waiting_for_retry',
      'waiting',
      'in_progress',
      'enqueued',
      'pending',
      'complete',
      'skipped',
      'cancelled',
      'resolved_manually',
    ],
  },
  { name: 'handler', label: 'Handler', placeholder: 'charge_card' },
  { name: 'error_type', label: 'Error type', placeholder: 'card_declined' },
  { name: 'error', label: 'Error contains', placeholder: 'certificate' },
  { name: 'worker', label: 'Worker', placeholder: 'worker-1' },
  { name: 'created_after', label: 'Created after', placeholder: '2h' },
  { name: 'created_before', label: 'Created before', placeholder: '1h' },
  { name: 'ended_after', label: 'Ended after', placeholder: '1h' },
  { name: 'ended_before', label: 'Ended before', placeholder: '1h' },
  { name: 'updated_after', label: 'Changed after', placeholder: '1h' },
  { name: 'updated_before', label: 'Changed before', placeholder: '1h' },
  { name: 'reason', label: 'Reason', placeholder: 'order placed' },
  { name: 'context', label: 'Context contains', placeholder: '{"order_id":"O-17"}' },
];

/** Filters that only links can set. */
const FLAGS: Readonly<Partial<Record<keyof TaskQuery, string>>> = { open: 'Open', ended: 'Ended', stale: 'Stale' };

/** Groups of states above the list. */
export const SEGMENTS: readonly { label: string; states: readonly TaskState[] }[] = [
  { label: 'All', states: [] },
  { label: 'Blocked', states: ['blocked_by_failures'] },
  { label: 'Retrying', states: ['waiting_for_retry'] },
  {
    label: 'In progress',
    states: [
      'pending',
      'initializing',
      'enqueuing_steps',
      'steps_in_process',
      'evaluating_results',
      'waiting_for_dependencies',
    ],
  },
  { label: 'Waiting', states: ['waiting'] },
  { label: 'Complete', states: ['complete', 'resolved_manually'] },
  { label: 'Failed', states: ['error'] },
  { label: 'Cancelled', states: ['cancelled'] },
  { label: 'Undone', states: ['undoing', 'undone'] },
];

export interface Chip {
  name: string;
  text: string;
}

/** Returns the filters of an address as strings. The namespace and the state have their own controls. */
export function chipsOf(search: URLSearchParams): Chip[] {
  const fields = FIELDS.flatMap(({ name, label }) => {
    const value = search.get(name);
    if (value === null) return [];
    return [{ name, text: `${label}: ${shown(name, value)}` }];
  });
  const flags = Object.entries(FLAGS).flatMap(([name, text]) => (search.get(name) === 'true' ? [{ name, text }] : []));
  const state = search.get('state');
  const isSegment = SEGMENTS.some(({ states }) => states.join(',') === (state ?? ''));
  return [
    ...fields,
    ...flags,
    ...(state && !isSegment
      ? [
          {
            name: 'state',
            text: `State: ${state
              .split(',')
              .map((one) => lookOf(one).word)
              .join(' or ')}`,
          },
        ]
      : []),
  ];
}

/** An age such as `2h` counts from now. */
function shown(name: string, value: string): string {
  if (name === 'step_state') return lookOf(value).word;
  const time = /_(after|before)$/.test(name) && /^\d{4}-/.test(value) ? new Date(value) : undefined;
  return time && !Number.isNaN(time.getTime()) ? dateText(time) : value;
}

/** Returns the conditions of a query of the list in the form of a bulk action. */
export function bulkFilterOf(query: TaskQuery): Record<string, unknown> {
  const { cursor: _, sort: __, order: ___, ...filter } = query;
  return Object.fromEntries(
    Object.entries(filter).map(([name, value]): [string, unknown] => {
      // The values are text, as in the address.
      if (name in FLAGS) return [name, String(value) === 'true'];
      return [name, name === 'context' ? contextOf(String(value)) : value];
    }),
  );
}

function contextOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // the server reports the problem
  }
}

/** The parts of the address that are sent to the API, which checks their values. */
export function queryOf(search: URLSearchParams): TaskQuery {
  const names: readonly (keyof TaskQuery)[] = [
    ...FIELDS.map(({ name }) => name),
    ...(Object.keys(FLAGS) as (keyof typeof FLAGS)[]),
    'namespace',
    'state',
    'cursor',
    'sort',
    'order',
  ];
  return Object.fromEntries(names.flatMap((name) => (search.get(name) ? [[name, search.get(name)!]] : [])));
}
