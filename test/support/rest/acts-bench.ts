import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { completeLater } from '../../../src/handlers/later.ts';
import { template, until } from '../setup.ts';
import { approvalStep, eitherSignal, signalStep } from '../waits/waiting.ts';
import { servedApi } from './served-api.ts';

/**
 * The API with templates for actions: `demo`, which fails unless it is lucky, `waits`, `outer`, and one in another
 * namespace.
 */
export async function actsBench() {
  const first = defineHandler('first', {}, () => ({ made: 1 }));
  const second = defineHandler('second', { inputs: { lucky: 'lucky' } }, ({ lucky }) => {
    if (!lucky) throw new PermanentError('no luck today');
    return { made: 2 };
  });
  /** The completion tokens of tasks of `outer`. */
  const tokens = new Map<string, string>();
  const outside = defineHandler('outside', {}, async ({ context }) => {
    tokens.set(context.taskUuid, await context.completionToken());
    return completeLater({ timeoutMs: 3_600_000 });
  });
  const nap = { type: 'timer', handler: undefined, timer: { for: '1h' } };
  const sign = approvalStep({ assignees: ['ann', 'managers'] });
  const api = await servedApi({
    worker: true,
    templates: [
      template({ first: [], second: ['first'] }),
      template({ nap, sign, paid: signalStep('paid') }, { name: 'waits' }),
      template({ pay: eitherSignal() }, { name: 'either' }),
      template({ outside: [] }, { name: 'outer' }),
      template({ first: [] }, { name: 'elsewhere', namespace: 'other' }),
    ],
    handlers: [first, second, outside],
  });
  const create = async (name = 'demo', more: object = {}, namespace = 'test') => {
    const request = { name, namespace, version: '1.0.0', context: {}, ...more };
    return (await api.tasker.createTask<string, string, string>(request)).taskUuid;
  };
  return {
    api,
    tokens,
    create,
    /** Creates a task that is blocked by a failure. */
    failed: async () => {
      const uuid = await create('demo', { context: { lucky: false } });
      await api.tasker.waitForTask(uuid);
      return uuid;
    },
    /** Creates a task whose steps all wait. */
    waiting: async (more: object = {}) => {
      const uuid = await create('waits', more);
      await until(
        () => api.tasker.getSteps(uuid),
        (steps) => steps.every((step) => step.currentState === 'waiting'),
      );
      return uuid;
    },
    /** Sends a request that is rejected. Returns its status, code and message. */
    refused: async (method: string, path: string, body?: unknown) => {
      const { status, body: answer } = await api.ask<{ error: { code: string; message: string } }>(method, path, body);
      return [status, answer.error.code, answer.error.message];
    },
  };
}

/** A bench, and its parts. */
export type ActsBench = Awaited<ReturnType<typeof actsBench>>;
