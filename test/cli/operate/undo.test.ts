import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { freshDatabase } from '../../support/database.ts';
import { DEMO, template } from '../../support/setup.ts';
import { installation, type Project } from '../installation.ts';

let place: Awaited<ReturnType<typeof installation>>;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let project: Project;
let tasker: Tasker;

beforeAll(async () => {
  [place, database] = await Promise.all([installation(), freshDatabase()]);
  project = await place.project('shop', { DATABASE_URL: database.url });
  tasker = await createTasker({
    databaseUrl: database.url,
    migrate: false,
    logger: silentLogger,
    templates: [
      template({
        flight: { undo: { handler: 'cancel' } },
        hotel: { dependencies: ['flight'], undo: { handler: 'cancel' } },
        car: { dependencies: ['flight'], undo: { handler: 'cancel' } },
        mail: ['hotel', 'car'],
      }),
      template({ mail: [] }, { name: 'plain' }),
    ],
    handlers: ['flight', 'hotel', 'car', 'mail', 'cancel'].map((name) =>
      defineHandler(name, {}, () => {
        if (name === 'car') throw new PermanentError('no car');
        return { by: name };
      }),
    ),
  });
});

afterAll(async () => {
  await tasker?.stop({ drainTimeoutMs: 100 });
  await place?.remove();
  await database?.drop();
});

async function rested(name = 'demo'): Promise<string> {
  const { taskUuid } = await tasker.createTask({ ...DEMO, name });
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  return taskUuid;
}

it('task undo lists the steps in their order, and then undoes them', async () => {
  const task = await rested();
  const preview = await project.run(['task', 'undo', task, '--dry-run']);
  expect(
    preview.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.trimEnd()),
  ).toEqual([
    '  STEP    STATE     UNDONE BY                                             AFTER',
    '✔ hotel   complete  cancel',
    '✔ flight  complete  cancel                                                hotel',
    '✖ car     error     not undone: it did not complete (include: completed)',
  ]);
  expect(preview.stderr).toBe(
    'dry run: nothing was changed. 2 steps would be undone; 1 step that may have had an effect would not be undone; the task is blocked_by_failures\n',
  );
  const { code, stderr } = await project.run(['task', 'undo', task, '--by', 'ana', '--reason', 'no car']);
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: `undo of ${task}: 2 steps will be undone; 1 step that may have had an effect will not be undone; the task was blocked_by_failures and is undoing\n`,
  });
  expect((await tasker.waitForTask(task, { timeoutMs: 20_000 })).status).toBe('undone');
  const why = await project.run(['task', 'why', task]);
  expect(why.stdout).toContain('was undone: flight, hotel');
});

it('task undo --json prints the undo, and a task without undo names the way out', async () => {
  const task = await rested();
  const { stdout } = await project.run(['task', 'undo', task, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({
    task_uuid: task,
    dry_run: false,
    status_before: 'blocked_by_failures',
    status: 'undoing',
    steps: [
      { step: 'hotel', undone: true, handler: 'cancel', after: [], reason: null },
      { step: 'flight' },
      { step: 'car' },
    ],
  });
  const plain = await project.run(['task', 'undo', await rested('plain')]);
  expect(plain.code).not.toBe(0);
  expect(plain.stderr).toContain(
    'no step of test/plain@1.0.0 has `undo`; add it to the steps whose effects can be undone',
  );
});
