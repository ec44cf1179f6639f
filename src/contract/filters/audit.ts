import { type Conditions, type ConditionValues, namedConditions } from './condition.ts';

/** The conditions of a search for actions. */
export const AUDIT_CONDITIONS = {
  actor: { kind: 'text', value: 'name', help: 'only actions of this operator' },
  action: {
    kind: 'text',
    value: 'action',
    help: 'only these actions, such as cancel, retry, resolve, delete or replay_events',
  },
  door: {
    kind: 'choice',
    value: 'door',
    help: 'only actions from this origin, such as cli or rest',
    choices: ['library', 'cli', 'rest', 'lifecycle', 'policy'],
  },
  after: {
    kind: 'after',
    event: 'acted',
    value: 'time',
    help: 'only actions after a time (2026-01-31T12:00Z) or age (90s, 15m, 2h, 7d)',
  },
  before: { kind: 'before', event: 'acted', value: 'time', help: 'only actions before a time or age' },
  task: {
    kind: 'text',
    value: 'uuid',
    help: 'only actions on this task, which may have been deleted',
    description: 'The id of a task.',
  },
  bulk: {
    kind: 'number',
    value: 'number',
    help: 'every action of this bulk action',
    description: 'The id of a bulk action.',
  },
  target: { kind: 'text', value: 'name', help: 'only actions on this object, such as "event group receipts"' },
} as const satisfies Conditions;

export type AuditConditionValues = ConditionValues<typeof AUDIT_CONDITIONS>;

export const NAMED_AUDIT_CONDITIONS = namedConditions(AUDIT_CONDITIONS);
