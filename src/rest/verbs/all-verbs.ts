import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Tasker } from '../../app/tasker.ts';
import { CONTRACT } from '../../contract/contract.ts';
import { methodNames } from '../../contract/method-names.ts';
import type { Verb } from '../../contract/verb.ts';
import type { Logger } from '../../logging/logger.ts';
import { methodBody } from '../method-body.ts';
import { type Bodies, type BodiesOf, verbRoutes } from '../verb-routes.ts';
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

/**
 * The routes of all verbs of the contract except those of `byHand`. A verb without a body in this folder is carried out
 * by the method of the tasker that has its name.
 */
export function allVerbRoutes(tasker: Tasker, logger: Logger, byHand: readonly OpenAPIHono[]): OpenAPIHono[] {
  const bodies: { [Noun in keyof typeof CONTRACT]?: BodiesOf<Noun> } = {
    tasks: taskVerbs(tasker),
    steps: stepVerbs(tasker),
    bulkActs: bulkActVerbs(tasker, logger),
    signals: signalVerbs(tasker),
    approvals: approvalVerbs(tasker),
    completions: completionVerbs(tasker),
    schedules: scheduleVerbs(tasker),
    templates: templateVerbs(tasker),
    namespaces: namespaceVerbs(tasker),
    deadLetters: deadLetterVerbs(tasker),
    events: eventVerbs(tasker),
    workers: workerVerbs(tasker),
    installation: installationVerbs(tasker),
    audit: auditVerbs(tasker),
    credentials: credentialVerbs(tasker),
  };
  const taken = new Set(byHand.flatMap(({ routes }) => routes.map(({ method, path }) => `${method} ${path}`)));
  return Object.entries<Readonly<Record<string, Verb>>>(CONTRACT).map(([noun, verbs]) => {
    const own: Bodies = bodies[noun as keyof typeof CONTRACT] ?? {};
    const derived = Object.entries(verbs)
      .filter(([name, verb]) => !own[name] && !taken.has(`${verb.method.toUpperCase()} ${honoPath(verb)}`))
      .map(([name, verb]) => [name, methodBody(tasker, methodNames(noun, name), verb)]);
    return verbRoutes(tasker, verbs, { ...(Object.fromEntries(derived) as Bodies), ...own });
  });
}

const honoPath = ({ path }: Verb) => path.replaceAll(/\{(\w+)\}/g, ':$1');
