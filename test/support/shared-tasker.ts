import { onTestFinished } from 'vitest';
import type { CreateTaskerOptions } from '../../src/app/create-tasker.ts';
import { deleteTasks } from './delete-tasks.ts';
import type { setup } from './setup.ts';
import { sharedDatabase } from './shared-database.ts';

/** The result of `setup()`. */
type Made = Awaited<ReturnType<typeof setup>>;

/**
 * Returns a function like `setup()` for tests that need the same templates and no worker. All tests of a file share the
 * database and the tasker. Each test starts without the tasks and workers of the tests before it, and the taskers that
 * it creates with `another` stop when it ends. Call it where tests are declared.
 */
export function sharedTasker(options: CreateTaskerOptions = {}): () => Promise<Made> {
  const shared = sharedDatabase();
  const once = shared.once({ a: [] }, { worker: false, ...options });
  return async () => {
    const { tasker, another } = await once();
    onTestFinished(() => deleteTasks(shared.sql));
    return {
      tasker,
      url: shared.url,
      sql: shared.sql,
      another: async (more) => {
        const other = await another(more);
        onTestFinished(() => other.stop({ drainTimeoutMs: 100 }));
        return other;
      },
    };
  };
}
