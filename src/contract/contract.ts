import { analytics } from './analytics.ts';
import { approvals } from './approvals.ts';
import { audit } from './audit.ts';
import { bulkActs } from './bulk-acts.ts';
import { completions } from './completions.ts';
import { credentials } from './credentials.ts';
import { deadLetters } from './dead-letters.ts';
import { events } from './events.ts';
import { installation } from './installation.ts';
import { namespaces } from './namespaces.ts';
import { schedules } from './schedules.ts';
import { signals } from './signals.ts';
import { steps } from './steps.ts';
import { tasks } from './tasks.ts';
import { templates } from './templates.ts';
import type { Verb } from './verb.ts';
import { workers } from './workers.ts';

/** All verbs, by their nouns. The order is that of the documentation. */
export const CONTRACT = {
  tasks,
  steps,
  bulkActs,
  signals,
  approvals,
  completions,
  schedules,
  templates,
  namespaces,
  deadLetters,
  events,
  workers,
  installation,
  audit,
  analytics,
  credentials,
} as const satisfies Record<string, Record<string, Verb>>;
