import { REQUEST, type World } from '../../support/rest/world.ts';
import { ACT, type Table, UNKNOWN } from './row.ts';
import { failedTask } from './task-act-rows.ts';

const KEY = { 'idempotency-key': 'once' };
const NDJSON = { 'content-type': 'application/x-ndjson' };

/** Acts on many tasks, and on dead letters. */
export async function bulkRows(world: World): Promise<Table> {
  const { tasker, tasks } = world;
  const failed = await failedTask(world, 10);
  const [done] = await tasker.bulk.list();
  const stopped = await stoppedBulk(world);
  const request = { key: 'used', hash: '00' };
  await tasker.bulk.retry({ ids: [tasks.complete] }, { actor: 'ana', request }).result();
  const lines = [{ ...REQUEST, context: { n: 2 } }, { ...REQUEST, name: 'nothing' }, 7].map((line) =>
    JSON.stringify(line),
  );
  const id = (value: number | string) => ({ id: String(value) });
  const body = { ...ACT, action: 'task_retry' };
  return {
    postTasksBulk: {
      ok: [
        { body: `${lines.join('\n')}\n`, headers: NDJSON },
        { body: lines[0]!, headers: NDJSON, query: 'on_duplicate=return' },
        { body: '', headers: NDJSON },
      ],
      400: [{ body: lines[0]!, headers: NDJSON, query: 'on_duplicate=odd' }],
    },
    postBulkActs: {
      ok: [
        { body: { ...body, ids: [failed, UNKNOWN], dry_run: true } },
        { body: { ...body, filter: { state: 'error', namespace: 'test' }, dry_run: true } },
        { body: { ...body, action: 'step_retry', steps: [{ task_uuid: failed, step: 'second' }], dry_run: true } },
      ],
      202: [
        { body: { ...body, ids: [tasks.complete] }, headers: KEY },
        { body: { ...body, ids: [tasks.complete] }, headers: KEY },
      ],
      409: [{ body: { ...body, ids: [UNKNOWN] }, headers: { 'idempotency-key': 'used' } }],
      404: [{ body: { ...body, action: 'task_redrive', ids: [UNKNOWN] } }],
      400: [
        { body: { ...body, action: 'odd', ids: [failed] } },
        { body },
        { body: { ...body, ids: [failed], filter: {} } },
        { body: { ...body, filter: { odd: 1 } } },
        { body: { ...body, ids: ['7'] } },
      ],
    },
    postBulkActStop: {
      ok: [{ params: id(done!.id), body: ACT }],
      400: [{ params: id('x'), body: ACT }],
      404: [{ params: id(999_999), body: ACT }],
    },
    postBulkActResume: {
      ok: [{ params: id(stopped), body: ACT }],
      400: [{ params: id(0), body: ACT }],
      404: [{ params: id(999_999), body: ACT }],
      409: [{ params: id(done!.id), body: ACT }],
    },
    ...(await deadLetterActRows(world)),
  };
}

/** Returns the id of a bulk action that was stopped before its end. */
async function stoppedBulk({ tasker, tasks }: World): Promise<number> {
  const ending = new AbortController();
  ending.abort();
  const act = tasker.bulk.retry({ ids: [tasks.complete] }, { ...ACT, signal: ending.signal });
  await act.result().catch(() => undefined);
  return (await tasker.bulk.list())[0]!.id;
}

async function deadLetterActRows(world: World): Promise<Table> {
  const { tasker } = world;
  const [added, changed, redriven, closed] = await Promise.all([11, 12, 13, 14].map((n) => failedTask(world, n)));
  const entryOf = async (uuid: string) => (await tasker.deadLetters.add(uuid, { reason: 'look' })).dlqEntryUuid;
  const open = { dlq_entry_uuid: await entryOf(changed!) };
  const other = { dlq_entry_uuid: await entryOf(redriven!) };
  const over = { dlq_entry_uuid: await entryOf(closed!) };
  await tasker.deadLetters.update(over.dlq_entry_uuid, { status: 'manually_resolved' }, { actor: 'ana' });
  const waits = { dlq_entry_uuid: await entryOf(await world.create({ name: 'slow', reason: 'to redrive' })) };
  return {
    postDlq: {
      ok: [{ body: { ...ACT, task_uuid: added, assignee: 'ana', priority: 3, metadata: { ticket: 7 } } }],
      400: [{ body: ACT }, { body: { task_uuid: '7' } }, { body: { task_uuid: added, priority: 1000 } }],
      404: [{ body: { task_uuid: UNKNOWN } }],
      409: [{ body: { task_uuid: changed } }],
    },
    postDlqEntryAssign: {
      ok: [
        { params: open, body: { ...ACT, to: 'bob', priority: 2 } },
        { params: open, body: { to: null } },
      ],
      400: [{ params: open, body: ACT }],
      409: [{ params: over, body: { to: 'bob' } }],
    },
    postDlqEntryNote: {
      ok: [
        { params: open, body: { ...ACT, note: 'asked the bank' } },
        { params: over, body: { note: 'it was the bank' } },
      ],
      400: [{ params: open, body: { note: '' } }],
    },
    postDlqEntryResolve: {
      ok: [{ params: open, body: { ...ACT, status: 'permanently_failed', notes: 'no luck' } }],
      400: [{ params: open, body: { status: 'odd' } }],
      409: [{ params: over, body: { status: 'cancelled' } }],
    },
    postDlqEntryRedrive: {
      ok: [{ params: other, body: ACT }],
      400: [{ params: other, body: { by: 7 } }],
      409: [{ params: waits, body: ACT }],
    },
  };
}
