import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { DEMO, endStates, setup, template } from '../support/setup.ts';

const TEMPLATE = template({ a: [], b: ['a'] });

/** A database with a setting, which applies to the connections that are opened after this. */
async function withSetting(setting: string) {
  const made = await setup({ templates: TEMPLATE, worker: false });
  const [row] = await made.sql<{ name: string }>('select current_database() as name');
  await made.sql(`alter database ${row!.name} set ${setting}`);
  return made;
}

for (const style of ['SQL, DMY', 'German', 'Postgres, MDY', 'ISO, YMD']) {
  it(`handlers read the times of their step if DateStyle of the database is ${style}`, async () => {
    const { another } = await withSetting(`datestyle = '${style}'`);
    const seen: string[] = [];
    const handlers = ['a', 'b'].map((name) =>
      defineHandler(name, {}, ({ context }) => {
        const { task, workflowStep } = context.event;
        seen.push(task.createdAt, workflowStep.createdAt);
        return {};
      }),
    );
    const tasker = await another({ worker: true, handlers });
    const task = await tasker.createTask(DEMO);
    expect(await endStates(tasker, [task])).toEqual(['complete']);
    const { createdAt } = await tasker.getTask(task.taskUuid);
    const expected = `${createdAt.slice(0, 23).replace('T', ' ')}000`;
    expect(seen).toEqual([expected, expected, expected, expected]);
  });
}

it('workers that start together on a database whose transactions are serializable all start and work', async () => {
  const { sql, another } = await withSetting(`default_transaction_isolation = 'serializable'`);
  const handlers = ['a', 'b'].map((name) => defineHandler(name, {}, () => ({})));
  for (let round = 0; round < 4; round++) {
    await sql('delete from tasker.worker');
    const templates = template({ a: [], b: ['a'] }, { name: `demo${round}`, namespace: `test${round}` });
    const workers = await Promise.all([1, 2, 3, 4].map(() => another({ worker: true, handlers, templates })));
    const request = { namespace: `test${round}`, name: `demo${round}`, version: '1.0.0' };
    const made = await Promise.all(workers.map((worker) => worker.createTasks([request, request, request])));
    expect(await endStates(workers[0]!, made.flat())).toEqual(['complete']);
    await Promise.all(workers.map((worker) => worker.stop({ drainTimeoutMs: 1000 })));
  }
}, 60_000);
