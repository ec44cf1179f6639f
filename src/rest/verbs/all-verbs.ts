import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Tasker } from '../../app/tasker.ts';
import { CONTRACT } from '../../contract/contract.ts';
import type { Logger } from '../../logging/logger.ts';
import { verbRoutes } from '../verb-routes.ts';
import { approvalVerbs } from './approvals.ts';
import { auditVerbs } from './audit.ts';
import { bulkActVerbs } from './bulk-acts.ts';
import { completionVerbs } from './completions.ts';
import { credentialVerbs } from './credentials.ts';
import { deadLetterVerbs } from './dead-letters.ts';
import { eventVerbs } from './events.ts';
import { installationVerbs } from './installation.ts';
import { scheduleVerbs } from './schedules.ts';
import { signalVerbs } from './signals.ts';
import { stepVerbs } from './steps.ts';
import { taskVerbs } from './tasks.ts';
import { templateVerbs } from './templates.ts';
import { namespaceVerbs, workerVerbs } from './workers.ts';

/** The routes of all verbs of the contract that have a body in this folder. */
export function allVerbRoutes(tasker: Tasker, logger: Logger): OpenAPIHono[] {
  return [
    verbRoutes(tasker, CONTRACT.tasks, taskVerbs(tasker)),
    verbRoutes(tasker, CONTRACT.steps, stepVerbs(tasker)),
    verbRoutes(tasker, CONTRACT.bulkActs, bulkActVerbs(tasker, logger)),
    verbRoutes(tasker, CONTRACT.signals, signalVerbs(tasker)),
    verbRoutes(tasker, CONTRACT.approvals, approvalVerbs(tasker)),
    verbRoutes(tasker, CONTRACT.completions, completionVerbs(tasker)),
    verbRoutes(tasker, CONTRACT.schedules, scheduleVerbs(tasker)),
    verbRoutes(tasker, CONTRACT.templates, templateVerbs(tasker)),
    verbRoutes(tasker, CONTRACT.namespaces, namespaceVerbs(tasker)),
    verbRoutes(tasker, CONTRACT.deadLetters, deadLetterVerbs(tasker)),
    verbRoutes(tasker, CONTRACT.events, eventVerbs(tasker)),
    verbRoutes(tasker, CONTRACT.workers, workerVerbs(tasker)),
    verbRoutes(tasker, CONTRACT.installation, installationVerbs(tasker)),
    verbRoutes(tasker, CONTRACT.audit, auditVerbs(tasker)),
    verbRoutes(tasker, CONTRACT.credentials, credentialVerbs(tasker)),
  ];
}
