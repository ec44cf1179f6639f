import { beforeAll, expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import { siblingLines } from '../../../src/cli/show/siblings.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { endStates, template } from '../../support/setup.ts';
import { projectOnDatabase } from '../installation.ts';

const on = projectOnDatabase();
let failed: string[];

/** Two orders fail for one reason and one for another, and one completes. */
beforeAll(async () => {
  const tasker = await createTasker({
    databaseUrl: on.database.url,
    templates: template({ reserve: [], charge: ['reserve'] }, { namespace: 'shop', name: 'fulfil' }),
    handlers: [
      defineHandler('reserve', {}, () => ({})),
      defineHandler('charge', { inputs: { why: 'why' } }, ({ why }) => {
        if (typeof why === 'string') throw new PermanentError(`order refused: ${why}`, { errorType: why });
        return {};
      }),
    ],
    name: 'till-1',
    logger: silentLogger,
  });
  const order = (why?: string) => ({ namespace: 'shop', name: 'fulfil', context: { why } });
  const tasks = await tasker.createTasks([order('expired'), order('expired'), order('stolen'), order()]);
  await endStates(tasker, tasks);
  await tasker.engine.search.flush();
  await tasker.stop();
  failed = tasks.map(({ taskUuid }) => taskUuid);
});

const COMMAND =
  'npx tasker task list -n shop --name fulfil --open --step charge --step-state error --error-type expired';

it.each(['get', 'why'])(
  '`task %s` gives the type of an error, and the command that finds its siblings',
  async (verb) => {
    const { code, stdout } = await on.project.run(['task', verb, failed[0]!]);
    expect(code).toBe(0);
    expect(stdout).toContain(`tasks that failed in the same way\n  charge: expired\n      ${COMMAND}\n`);
    const siblings = await on.project.json<{ total: number; tasks: { task_uuid: string }[] }>(
      COMMAND.split(' ').slice(2),
    );
    expect(siblings.tasks.map(({ task_uuid }) => task_uuid).sort()).toEqual(failed.slice(0, 2).sort());
  },
);

it('`task why --json` has the type of the error of each failed step, and `task get` shows it before the message', async () => {
  expect(await on.project.json(['task', 'why', failed[2]!])).toMatchObject({
    steps: [
      { step: 'reserve', error_type: null },
      { step: 'charge', error_type: 'stolen' },
    ],
  });
  expect((await on.project.run(['task', 'get', failed[2]!])).stdout).toMatch(
    /charge .* stolen: order refused: stolen$/m,
  );
});

it('a task without a failure has no siblings, and each kind of failure of a batch is named once', async () => {
  expect((await on.project.run(['task', 'why', failed[3]!])).stdout).not.toContain('same way');
  const task = { namespace: 'a', name: 'b', completedAt: null };
  const step = (errorType: string | null) => ({ templateStepName: 'rows', state: 'error', errorType });
  const lines = siblingLines(task, [
    ...Array.from({ length: 9 }, () => step('busy')),
    step(null),
    step("can't"),
    step('x'),
  ]);
  expect(lines).toHaveLength(8);
  expect(lines[4]).toMatch(/--step rows --step-state error$/);
  expect(lines[6]).toContain(`--error-type 'can'\\''t'`);
  expect(lines[7]).toContain('and 1 more kind');
});

it('`step list --handler` and `--worker` say which steps they leave out, and how to find them', async () => {
  const handler = await on.project.run(['step', 'list', '--handler', 'charge']);
  expect(handler.stderr).toContain(
    'left out: steps that are pending, complete or cancelled; `npx tasker task list --handler charge --step-state complete` finds the tasks of completed ones',
  );
  const complete = await on.project.json(['task', 'list', '--handler', 'charge', '--step-state', 'complete']);
  expect(complete).toMatchObject({ total: 1, tasks: [{ task_uuid: failed[3] }] });
  for (const noun of ['step', 'task']) {
    const worker = await on.project.run([noun, 'list', '--worker', 'till-1']);
    expect(worker.stderr).toContain('left out: steps that the worker completed');
  }
  for (const all of [
    ['step', 'list', '--handler', 'charge', '--step-state', 'error'],
    ['step', 'list', '--handler', 'charge', '--error-type', 'expired'],
    ['task', 'list', '--handler', 'charge'],
  ]) {
    expect((await on.project.run(all)).stderr).not.toContain('left out');
  }
});
