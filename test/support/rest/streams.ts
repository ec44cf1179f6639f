import { onTestFinished } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { streamRoutes } from '../../../src/rest/by-hand/stream-routes.ts';
import { restApp } from '../../../src/rest/rest-app.ts';
import { listen } from '../../../src/server/listen.ts';
import { DEMO, setup, template, until } from '../setup.ts';
import { asking } from './contract.ts';
import { TestEventSource } from './event-source.ts';

export const first = defineHandler('first', {}, () => ({ made: 1 }));
export const second = defineHandler('second', {}, () => ({ made: 2 }));
export const TWO_STEPS = template({ first: [], second: ['first'] });
export const OTHER = template({ first: [] }, { namespace: 'other', name: 'thing' });

export type Made = Awaited<ReturnType<typeof setup>>;

/** A server for the API of a tasker, on its own port. */
export async function listening({ tasker }: Pick<Made, 'tasker'>, options?: Parameters<typeof streamRoutes>[1]) {
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  const app = options ? streamRoutes(tasker, options) : restApp({ tasker, logger: silentLogger, facts });
  const server = await listen(app, { host: '127.0.0.1', port: 0 });
  let closing: Promise<void> | undefined;
  const close = () => {
    tasker.engine.changes.close();
    closing ??= server.close();
    return closing;
  };
  onTestFinished(() => close());
  const stream = (path: string, after?: string) => TestEventSource.open(`${server.url}${path}`, { after });
  return { server, stream, close, ask: asking(app) };
}

/** A server on its own database, which runs steps too. */
export async function served(options: Parameters<typeof setup>[0] = {}) {
  const made = await setup({ templates: [TWO_STEPS, OTHER], handlers: [first, second], ...options });
  return { ...made, ...(await listening(made)) };
}

/** Waits until a stream has sent a task in a state. */
export const sees = (stream: TestEventSource, taskUuid: string, state: string) =>
  until(
    () => stream.tasks.get(taskUuid),
    (seen) => seen === state,
  );

/** Waits until a stream has passed all earlier changes. */
export async function caughtUp(stream: TestEventSource, { tasker }: Pick<Made, 'tasker'>): Promise<void> {
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.cancelTask(taskUuid);
  await until(
    () => stream.of('task').find((task) => task.task_uuid === taskUuid),
    (seen) => seen !== undefined,
  );
}
