import { afterAll, beforeAll } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError, RetryableError } from '../../../src/handlers/failures/handler-errors.ts';
import { completeLater } from '../../../src/handlers/later.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { LOCAL_SECURITY, type SecuritySettings } from '../../../src/rest/auth/settings.ts';
import { restApp } from '../../../src/rest/rest-app.ts';
import { emptyDatabase, type Sql } from '../database.ts';
import { partsFor, workers } from '../hand-worker.ts';
import { RETRY_AT_ONCE, template } from '../setup.ts';
import { asking } from './contract.ts';

/** A request for the template of the tasks in the world. */
export const REQUEST = {
  name: 'demo',
  namespace: 'test',
  version: '1.0.0',
  context: { lucky: true },
  initiator: 'tests',
  source_system: 'suite',
  reason: 'to see',
};

/** Long, because the workers over HTTP of these tests send no heartbeats. */
const LEASE_MS = 600_000;

/** The completion tokens of tasks that wait for another system, by task. */
const TOKENS = new Map<string, string>();

const HANDLERS = [
  defineHandler('first', {}, ({ context }) => {
    context.logger.info({ made: 1 }, 'made one');
    return { made: 1 };
  }),
  defineHandler('second', { inputs: { lucky: 'lucky' } }, ({ lucky, context }) => {
    if (lucky === 'later' && context.attempt === 1) throw new RetryableError('not yet');
    if (!lucky) throw new PermanentError('no luck today');
    return { made: 2 };
  }),
  defineHandler('analyze', {}, () => partsFor('work', 'a', 'b')),
  defineHandler('work', {}, () => ({})),
  defineHandler('join', {}, () => ({})),
  defineHandler('outside', {}, async ({ context }) => {
    TOKENS.set(context.taskUuid, await context.completionToken());
    return completeLater({ timeoutMs: 3_600_000 });
  }),
];

const EVENT = { name: 'first.made', description: 'A first thing.', schema: { type: 'object' } };
const FIRST = { dependencies: [], publishes_events: [EVENT] };
const SECOND = { dependencies: ['first'], retry: RETRY_AT_ONCE };
const TIMER = { type: 'timer', handler: undefined, timer: { for: '1h' }, dependencies: ['first'] };

const TEMPLATES = [
  template({ first: FIRST, second: SECOND }, { identity_strategy: 'strict' }),
  template({ first: FIRST, second: SECOND, third: ['second'] }, { version: '1.1.0', description: 'with a third step' }),
  template({ first: [], pause: TIMER }, { name: 'slow' }),
  template({ first: { undo: { handler: 'join' } } }, { name: 'undoable' }),
  template(
    {
      analyze: { type: 'batchable' },
      work: workers(['analyze']),
      join: { type: 'deferred_convergence', dependencies: ['work'] },
    },
    { name: 'rows' },
  ),
  template({ lone: [] }, { name: 'orphan', namespace: 'elsewhere' }),
];

/** An installation with tasks in several states, and an app on it. */
export interface World {
  tasker: Tasker;
  sql: Sql;
  url: string;
  app: ReturnType<typeof restApp>;
  ask: ReturnType<typeof asking>;
  /** Sends requests to an app on it that requires a credential. */
  askSecured: ReturnType<typeof asking>;
  /** The completion tokens of tasks whose handler `outside` has begun, by task. */
  tokens: ReadonlyMap<string, string>;
  create(more?: object): Promise<string>;
  /** Ids of tasks: complete, completed after a retry, failed and in the dead letters, waiting for a timer, of another namespace. */
  tasks: { complete: string; retried: string; failed: string; waiting: string; elsewhere: string };
}

/** Creates a world for the tests of a file. */
export function restWorld(): World {
  const world = {} as World;
  let end: (() => Promise<void>) | undefined;
  beforeAll(async () => {
    const { url, sql, drop } = await emptyDatabase();
    const tasker = await createTasker({
      databaseUrl: url,
      poolSize: 6,
      templates: TEMPLATES,
      handlers: HANDLERS,
      namespaces: ['test'],
      leaseMs: LEASE_MS,
      logger: silentLogger,
    });
    end = async () => {
      await tasker.stop({ drainTimeoutMs: 100 });
      await drop();
    };
    await tasker.engine.events.joinGroup({ name: 'audit', patterns: ['first.*'] });
    Object.assign(world, { tasker, sql, url, ...(await appOf(tasker)) });
    world.tasks = await tasksOf(world);
  });
  afterAll(() => end?.());
  return world;
}

/** The security of a server that requires no credential, although there are keys. */
export const UNSECURED: SecuritySettings = { ...LOCAL_SECURITY, auth: { ...LOCAL_SECURITY.auth, required: 'never' } };

async function appOf(tasker: Tasker) {
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  const config = { configuration: () => ({ 'worker.concurrency': 10 }) };
  const appWith = (security: SecuritySettings) => restApp({ tasker, logger: silentLogger, facts, config, security });
  const secured = { ...UNSECURED, auth: { ...UNSECURED.auth, required: 'always' } } as const;
  const app = appWith(UNSECURED);
  const ask = asking(app);
  const create = async (more: object = {}) => {
    const { body } = await ask<{ task_uuid: string }>('POST', '/v1/tasks', { ...REQUEST, ...more });
    return body.task_uuid;
  };
  return { app, ask, askSecured: asking(appWith(secured)), tokens: TOKENS, create };
}

async function tasksOf({ tasker, create }: World): Promise<World['tasks']> {
  const tasks = {
    complete: await create(),
    retried: await create({ context: { lucky: 'later' } }),
    failed: await create({ context: {}, tags: ['urgent', 'eu'], priority: 5 }),
    waiting: await create({ name: 'slow' }),
    elsewhere: await create({ name: 'orphan', namespace: 'elsewhere' }),
  };
  await Promise.all([tasks.complete, tasks.retried, tasks.failed].map((uuid) => tasker.waitForTask(uuid)));
  for await (const { task } of tasker.watchTask(tasks.waiting)) if (task.status === 'waiting') break;
  await tasker.deadLetters.add(tasks.failed, { reason: 'look', actor: 'ana' });
  await tasker.bulk.retry({ ids: [tasks.complete] }, { actor: 'ana', reason: 'try' }).result();
  await tasker.pause({ template: 'elsewhere/orphan' }, { actor: 'ana', reason: 'not yet' });
  await tasker.engine.search.flush();
  return tasks;
}
