import { DEAD_LETTER_REASONS, DEAD_LETTER_STATUSES } from '../../model/dead-letter.ts';
import { type Conditions, type ConditionValues, namedConditions } from './condition.ts';

/** Conditions on dead letters themselves, and not on their tasks. */
const OF_ENTRIES = {
  dlq_reason: {
    kind: 'choice',
    value: 'reason',
    help: 'only dead letters with this reason',
    words: 'reason',
    choices: DEAD_LETTER_REASONS,
  },
  assignee: { kind: 'text', value: 'name', help: 'only dead letters assigned to this person or team' },
  unassigned: { kind: 'flag', help: 'only dead letters without an assignee' },
  added_after: {
    kind: 'after',
    event: 'added',
    value: 'time',
    help: 'only dead letters added since a time (2026-01-31T12:00Z) or age (90s, 15m, 2h, 7d)',
  },
  added_before: {
    kind: 'before',
    event: 'added',
    value: 'time',
    help: 'only dead letters added before a time or age',
  },
} as const satisfies Conditions;

/** The conditions of a search for dead letters. */
export const DEAD_LETTER_CONDITIONS = {
  status: {
    kind: 'choice',
    short: 's',
    value: 'status',
    help: 'only dead letters in this state; all: in any (default: pending)',
    choices: [...DEAD_LETTER_STATUSES, 'all'],
  },
  namespace: { kind: 'text', short: 'n', value: 'namespace', help: 'only dead letters of this namespace' },
  name: {
    kind: 'text',
    value: 'name',
    help: 'only dead letters of this template',
    description: 'The name of the template.',
  },
  template_version: {
    kind: 'text',
    value: 'version',
    help: 'only dead letters of this template version, or range such as ">=1.2.0 <2.0.0"',
  },
  task: {
    kind: 'text',
    value: 'uuid',
    help: 'all dead letters of this task',
    description: 'The id of a task.',
  },
  ...OF_ENTRIES,
} as const satisfies Conditions;

export type DeadLetterConditionValues = ConditionValues<typeof DEAD_LETTER_CONDITIONS>;
export type EntryConditionValues = ConditionValues<typeof OF_ENTRIES>;

export const NAMED_DEAD_LETTER_CONDITIONS = namedConditions(DEAD_LETTER_CONDITIONS);
export const NAMED_ENTRY_CONDITIONS = namedConditions(OF_ENTRIES);
