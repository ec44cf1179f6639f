import { describe, expect, it } from 'vitest';
import { portableRow, portableText, portableValue } from '../../src/db/portable-statement.ts';
import type { Db, Statement } from '../../src/db/statement.ts';
import { createActiveTasks, holdActive } from '../../src/store/active-versions.ts';
import { readCallersSession } from '../../src/store/callers-session.ts';
import { putInInbox } from '../../src/store/signals/inbox.ts';
import { watchTasks } from '../../src/store/stale-tasks.ts';
import {
  begunTasks,
  limitingLockWaits,
  lockTaskKeys,
  openHolders,
  replaceTask,
  takeTaskKeys,
} from '../../src/store/task-keys.ts';
import { createTasks, findIdentities, findRequests, lockTasks } from '../../src/store/tasks.ts';
import { createLaterTasks } from '../../src/store/waits/start-tasks.ts';

const named = (text: string) => portableText({ name: 'demo', text }, text);

/** Returns the statements that run through clients of callers. */
async function statements(): Promise<Statement[]> {
  const found: Statement[] = [];
  const db: Db = {
    query: async (statement) => {
      found.push(statement);
      return { rows: [], command: '' };
    },
  };
  await createTasks(db, []);
  await createActiveTasks(db, [], []);
  await createLaterTasks(db, []);
  await holdActive(db, []);
  await watchTasks(db, []);
  await findIdentities(db, []);
  await findRequests(db, ['a']);
  await lockTasks(db, []);
  await lockTaskKeys(db, []);
  await openHolders(db, ['a']);
  await begunTasks(db, ['a']);
  await replaceTask(db, 'a', { actor: '', reason: '', door: '' });
  await takeTaskKeys(db, [{ hash: '', taskUuid: '' }]);
  await limitingLockWaits(
    { query: async (statement) => ({ ...(await db.query(statement)), rows: [{ earlier: '0' }] as never }) },
    1,
    async () => 0,
  );
  await readCallersSession(db).catch(() => undefined);
  await putInInbox(db, { signalId: '', target: '', name: '', key: null, payload: '', by: null });
  return found;
}

describe('the portable form of a statement', () => {
  it('exists for every statement that runs through a client', async () => {
    const all = await statements();
    expect(all.length).toBe(17);
    for (const { name, text } of all) {
      const portable = portableText({ name, text }, text);
      expect([name, /\$\d+(?!::text::)\b(?!\d)/.test(portable)]).toEqual([name, false]);
      const returnsRows = name !== 'watch_tasks' && name !== 'take_task_keys';
      expect([name, portable.endsWith('row_to_json(answer)::text answer from answer')]).toEqual([name, returnsRows]);
    }
  });

  it('has text parameters, and one column of text', () => {
    expect(named('select $1::int a, $12::uuid[] b')).toBe(
      'with answer as materialized (\nselect $1::text::int a, $12::text::uuid[] b)\nselect row_to_json(answer)::text answer from answer',
    );
    expect(
      named('with a as (insert into x values ($1::int) returning (y)), b as (select \'(\') select "(" from b'),
    ).toBe(
      'with a as (insert into x values ($1::text::int) returning (y)), b as (select \'(\'), answer as materialized (\nselect "(" from b)\nselect row_to_json(answer)::text answer from answer',
    );
    expect(named('insert into x select $1::int')).toBe('insert into x select $1::text::int');
  });

  it('does not exist if the type of a parameter depends on the driver, or rows are not selected', () => {
    expect(() => named('select $1')).toThrow('statement demo: $1 has no cast');
    expect(() => named('delete from x returning y')).toThrow('move its RETURNING into a CTE');
    expect(() => named('begin')).toThrow('has no portable form');
  });

  it('encodes lists as array literals', () => {
    expect([null, undefined, 7, true, 2n ** 60n, 'a'].map(portableValue)).toEqual([
      null,
      null,
      '7',
      'true',
      '1152921504606846976',
      'a',
    ]);
    expect(portableValue(['a"b', 'c\\d', '{,}', null, 'null', '', 7, false])).toBe(
      '{"a\\"b","c\\\\d","{,}",null,"null","","7","false"}',
    );
  });

  it('is decoded from objects and lists, whatever the name of the column', () => {
    for (const row of [{ Answer: '{"a":1}' }, ['{"a":1}'], { answer: { a: 1 } }]) {
      expect(portableRow(row)).toEqual({ a: 1 });
    }
  });
});
