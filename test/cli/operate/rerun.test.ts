import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { freshDatabase } from '../../support/database.ts';
import { partsFor, workers } from '../../support/hand-worker.ts';
import { DEMO, template } from '../../support/setup.ts';
import { installation, type Project } from '../installation.ts';

let place: Awaited<ReturnType<typeof installation>>;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let project: Project;
let tasker: Tasker;

beforeAll(async () => {
  [place, database] = await Promise.all([installation(), freshDatabase()]);
  project = await place.project('shop', { DATABASE_URL: database.url });
  const results: Record<string, unknown> = { cut: partsFor('rows', '1', '2', '3', '4', '5', '6', '7') };
  const names = ['reserve', 'charge', 'cut', 'rows', 'sum'];
  tasker = await createTasker({
    databaseUrl: database.url,
    migrate: false,
    logger: silentLogger,
    templates: [
      parent,
      template({
        reserve: [],
        charge: { dependencies: ['reserve'], retry: { retryable: false } },
        cut: { type: 'batchable', dependencies: ['charge'] },
        rows: workers(['cut']),
        sum: { type: 'deferred_convergence', dependencies: ['rows'] },
      }),
    ],
    handlers: names.map((name) => defineHandler(name, {}, () => results[name] ?? { by: name })),
  });
});

afterAll(async () => {
  await tasker?.stop({ drainTimeoutMs: 100 });
  await place?.remove();
  await database?.drop();
});

const parent = template({ bill: { type: 'task', handler: undefined, template: 'demo' } }, { name: 'parent' });

async function ended(name = 'demo'): Promise<string> {
  const { taskUuid } = await tasker.createTask({ ...DEMO, name });
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  return taskUuid;
}

describe('task rerun', () => {
  it('of a child task reports that its parent does not change, and task get shows both', async () => {
    const task = await ended('parent');
    const [child] = (await tasker.getChildTasks(task)).children;
    const { code, stderr } = await project.run(['task', 'rerun', child!.taskUuid, '--from', 'charge']);
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining(
        `its parent task ${task} does not change, because step bill no longer waits for this task; to use the new result, run \`tasker task rerun ${task} --from bill\` instead`,
      ),
    ]);
    const get = await project.run(['task', 'get', task]);
    expect(get.stdout).toContain(`${child!.taskUuid} `);
    const of = await project.run(['task', 'get', child!.taskUuid]);
    expect(of.stdout).toContain(`${task}, step bill of parent`);
  });

  it('a dry run lists the steps that would run again, folds batches and marks steps that are not retryable', async () => {
    const task = await ended();
    const { code, stdout, stderr } = await project.run(['task', 'rerun', task, '--from', 'charge', '--dry-run']);
    expect(code).toBe(0);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.trim()),
    ).toEqual(
      [
        'STEP     STATE     ATTEMPTS  WHAT HAPPENS',
        '✔ charge   complete  1         runs again                                             not retryable',
        '✔ cut      complete  1         runs again',
        '✔ sum      complete  1         is removed, and may be created again',
        '✔ rows ×7  complete  1         is removed, and may be created again',
      ].map((line) => expect.stringMatching(new RegExp(`^${line.replaceAll(/ +/g, ' +')}$`))),
    );
    expect(stderr).toContain(
      'dry run: nothing was changed. 2 steps would run again from charge; 8 would be removed until created again; the task is complete',
    );
    expect(stderr).toContain('not retryable (retry.retryable: false), and would run again: charge');
    expect((await tasker.getTask(task)).reruns).toBe(0);
  });

  it('runs the steps again, as shown by get, why, step get and step history', async () => {
    const task = await ended();
    const args = ['--from', 'charge', '--by', 'ana', '--reason', 'wrong amount'];
    const { code, stdout, stderr } = await project.run(['task', 'rerun', task, ...args]);
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toContain(
      `rerun 1 of ${task}: 2 steps run again from charge; 8 are removed until created again; the task was complete and is steps_in_process`,
    );
    expect((await tasker.waitForTask(task, { timeoutMs: 20_000 })).status).toBe('complete');
    const get = await project.run(['task', 'get', task]);
    expect(get.stdout).toMatch(/^rerun +1 time, last at /m);
    const why = await project.run(['task', 'why', task]);
    expect(why.stdout).toMatch(/it ran again from charge at .*, by ana: wrong amount/);
    const step = await project.run(['step', 'get', task, 'charge']);
    expect(step.stdout).toMatch(/^run +rerun 1$/m);
    expect(step.stdout).toMatch(
      /first run of charge, replaced by rerun 1: was complete at .*\n\{\n {2}"by": "charge"\n\}/,
    );
    const json = await project.json<{ earlier_runs: object[] }>(['step', 'get', task, 'charge']);
    expect(json.earlier_runs).toMatchObject([
      { rerun: 0, ended_by_rerun: 1, state: 'complete', result: { by: 'charge' } },
    ]);
    const history = await project.run(['step', 'history', task, 'charge']);
    expect(history.stdout.split('\n')[0]).toMatch(/^TIME +STEP +RUN +ATTEMPT/);
    expect(history.stdout).toMatch(/charge +first +1 +completed/);
    expect(history.stdout).toMatch(/charge +rerun +steps_in_process +ana +wrong amount/);
    expect(history.stdout).toMatch(/charge +rerun 1 +1 +completed/);
  });

  it('the history of a step that a rerun has removed can still be shown', async () => {
    const task = await ended();
    await tasker.stop({ drainTimeoutMs: 1_000 });
    await project.run(['task', 'rerun', task, '--from', 'charge']);
    const history = await project.run(['step', 'history', task, 'rows_3']);
    expect([history.code, history.stdout]).toEqual([0, expect.stringMatching(/rows_3 +first +1 +completed/)]);
  });

  it('reports a missing or invalid argument', async () => {
    const task = '0199a8c0-0000-7000-8000-000000000001';
    const without = await project.run(['task', 'rerun', task]);
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining("required option '-f, --from <step>'")]);
    const unknown = await project.run(['task', 'rerun', task, '--from', 'a']);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining(`task ${task} not found`)]);
  });
});

describe('task copy', () => {
  it('prints the id of the copy, and get shows the link in both directions', async () => {
    const { code, stdout: id } = await project.run(['task', 'create', 'test/demo', '-i', '{"n":1}', '-t', 'vip']);
    expect(code).toBe(0);
    const first = id.trim();
    const { stdout, stderr } = await project.run(['task', 'copy', first, '-i', '{"n":2}', '--by', 'ana']);
    const copy = stdout.trim();
    expect(copy).toMatch(/^[0-9a-f-]{36}$/);
    expect(stderr).toContain(`copied ${first} with another context`);
    const [before, after] = await Promise.all([first, copy].map((uuid) => project.json(['task', 'get', uuid])));
    expect(before).toMatchObject({ copy_of: null, copies: [copy] });
    expect(after).toMatchObject({ copy_of: first, copies: [], context: { n: 2 }, tags: ['vip'] });
    expect((await project.run(['task', 'get', copy])).stdout).toMatch(new RegExp(`^copy of +${first}$`, 'm'));
    expect((await project.run(['task', 'get', first])).stdout).toMatch(new RegExp(`^copies +${copy}$`, 'm'));
    expect(await project.json(['task', 'copy', first])).toMatchObject({ copy_of: first, created: true });
  });
});
