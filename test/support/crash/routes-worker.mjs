// A worker process for the example in examples/routes, and for a template with a join. Each handler first writes its start to a file, as a JSON line. It
// kills its process in the step and at the moment that the context of the task names.
import { openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createTasker, StepHandler, silentLogger } from '../../../dist/bundle/index.js';
import * as handlers from '../../../examples/routes/handlers/orders.mjs';

const { journal, ...options } = JSON.parse(process.argv[2]);
const file = openSync(journal, 'a');

/** Returns a handler that does the same, and kills its process once: at its start, or after its work. */
const killing = (handler) =>
  class extends handler {
    static handlerName = handler.handlerName;

    async call(context) {
      const { name } = context.event.workflowStep;
      const { step, moment } = context.event.task.context.kill;
      const about = { task: context.taskUuid, step: name, attempt: context.attempt };
      writeSync(file, `${JSON.stringify({ pid: process.pid, what: 'start', ...about })}\n`);
      const dies = step === name && context.attempt === 1;
      if (dies && moment === 'start') await killed();
      try {
        return await super.call(context);
      } finally {
        if (dies) await killed();
      }
    }
  };

class Quick extends StepHandler {
  static handlerName = 'race.quick';

  call() {
    return { by: process.pid };
  }
}

/** Does not complete before it is stopped. */
class Slow extends StepHandler {
  static handlerName = 'race.slow';

  call({ signal }) {
    return new Promise((resolve) => {
      const done = setTimeout(() => resolve({ late: true }), 60_000);
      signal.addEventListener('abort', () => {
        clearTimeout(done);
        resolve({ late: true });
      });
    });
  }
}

function killed() {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
}

const tasker = await createTasker({
  namespaces: ['routes_demo'],
  handlers: [...Object.values(handlers), Quick, Slow].map(killing),
  logger: silentLogger,
  ...options,
});
process.stdout.write('ready\n');

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  await tasker.stop({ drainTimeoutMs: Number(line.split(' ')[1]) });
  lines.close();
  process.stdin.destroy();
});
