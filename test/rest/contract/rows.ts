import { REQUEST, type World } from '../../support/rest/world.ts';
import { bulkRows } from './bulk-rows.ts';
import { credentialRows } from './credential-rows.ts';
import { operateRows } from './operate-rows.ts';
import { type Rows, type Table, UNKNOWN } from './row.ts';
import { scheduleRows } from './schedule-rows.ts';
import { taskActRows } from './task-act-rows.ts';
import { templateActRows } from './template-act-rows.ts';
import { waitRows } from './wait-rows.ts';
import { workRows } from './work-rows.ts';

const DEMO = { namespace: 'test', name: 'demo', version: '1.1.0' };
const NUL = '%00';

/**
 * The requests of the operations whose rows do not derive, by `operationId`. The test adds requests with invalid and unknown
 * ids, malformed, large and foreign bodies, and a foreign host.
 */
export async function rowsOf(world: World): Promise<Record<string, Rows>> {
  return {
    ...(await taskRows(world)),
    ...(await stepRows(world)),
    ...templateRows(),
    ...(await deadLetterRows(world)),
    ...(await overviewRows(world)),
    ...(await recordRows(world)),
    ...(await eventRows(world)),
    ...(await taskActRows(world)),
    ...(await waitRows(world)),
    ...(await bulkRows(world)),
    ...(await scheduleRows(world)),
    ...(await operateRows(world)),
    ...(await credentialRows(world)),
    ...(await templateActRows(world)),
    ...(await workRows(world)),
  };
}

async function taskRows(world: World): Promise<Table> {
  const { tasks } = world;
  const task = { uuid: tasks.complete };
  return {
    createTask: {
      ok: [
        { body: { ...REQUEST, context: { n: 1 } }, headers: { 'idempotency-key': 'once' } },
        { body: { ...REQUEST, context: { n: 2 }, start_in: '2h' }, query: 'on_duplicate=return' },
      ],
      201: [
        { body: { ...REQUEST, context: { n: 1 } }, headers: { 'idempotency-key': 'once' } },
        { body: { ...REQUEST, context: { n: 2 }, start_in: '2h' } },
      ],
      400: [
        { body: REQUEST, query: 'on_duplicate=odd' },
        { body: { ...REQUEST, idempotency_key: 'one' }, headers: { 'idempotency-key': 'other' } },
        { body: { ...REQUEST, context: { n: 3 }, start_at: 'never' } },
        { body: { ...REQUEST, start_in: 'soon' } },
        { body: { ...REQUEST, context: 7 } },
        { body: { ...REQUEST, tags: 'a' } },
        { body: [] },
        { body: null },
      ],
      404: [{ body: { ...REQUEST, name: 'nothing' } }],
      409: [{ body: REQUEST }, { body: REQUEST, headers: { 'idempotency-key': 'once' } }],
    },
    listTasks: {
      ok: [
        {},
        { query: 'page=2&per_page=1&state=error,complete&status=pending' },
        { query: 'limit=1000&tag=urgent&tag=eu&open&created_after=2h&sort=updated&order=asc' },
        { query: 'context={"lucky":true}&step=first&step_state=complete&handler=first' },
      ],
      400: [
        { query: 'state=odd' },
        { query: 'created_after=someday' },
        { query: 'context=[]' },
        { query: 'correlation_id=7' },
        { query: 'cursor=nonsense' },
        { query: `namespace=${NUL}` },
        { query: 'open=maybe' },
        { query: 'page=1000000&per_page=100' },
      ],
    },
    cancelTask: {
      ok: [
        {
          params: { uuid: await world.create({ name: 'slow', reason: 'to cancel' }) },
          body: { by: 'ana', reason: 'to see' },
        },
        { params: { uuid: await world.create({ name: 'slow', reason: 'to cancel too' }) } },
      ],
      400: [{ params: task }, { params: task, body: { raeson: 'misspelt' } }],
    },
    getTaskHistogram: {
      ok: [
        {},
        { query: 'buckets=10&created_after=2h&tag=urgent' },
        { query: 'by=failed&since=1d&step_state=error' },
        { query: 'namespace=nothing' },
      ],
      400: [
        { query: 'buckets=1' },
        { query: 'by=luck' },
        { query: 'by=failed&since=someday' },
        { query: 'context=[]' },
      ],
    },
    getTaskHistory: {
      ok: [{ params: task, query: 'step=first&limit=1' }],
      400: [{ params: task, query: 'cursor=x' }],
      404: [{ params: task, query: 'step=nothing' }],
    },
  };
}

async function stepRows(world: World): Promise<Table> {
  const { tasker, tasks } = world;
  const [step] = await tasker.getSteps(tasks.failed);
  const stepPlace = { uuid: tasks.failed, step_uuid: step!.stepUuid };
  return {
    resolveTaskWorkflowStep: {
      ok: [
        {
          params: { uuid: tasks.failed, step_uuid: (await tasker.getStep(tasks.failed, 'second')).stepUuid },
          body: { action_type: 'resolve_manually', reason: 'done', resolved_by: 'ana' },
        },
      ],
      400: [
        { params: stepPlace, body: { action_type: 'nothing' } },
        { params: stepPlace, body: { action_type: 'reset_for_retry', reason: 'again', reset_by: 'ana' } },
      ],
    },
    getSteps: {
      ok: [{}, { query: 'step_state=error&limit=1&order=asc' }],
      400: [{ query: 'step_state=odd' }, { query: 'order=up' }],
    },
  };
}

function templateRows(): Table {
  return {
    listTemplates: { ok: [{}, { query: 'namespace=elsewhere' }], 400: [{ query: 'namespace=a&namespace=b' }] },
    getTemplate: { ok: [{ params: DEMO }], 400: [{ params: { ...DEMO, name: NUL } }] },
    getTemplateSource: {
      ok: [
        { params: DEMO },
        { params: DEMO, query: 'format=json' },
        { params: DEMO, headers: { accept: 'application/json' } },
      ],
      400: [{ params: DEMO, query: 'format=xml' }],
    },
    getTemplateGraph: {
      ok: [{ params: DEMO }, { params: DEMO, query: 'format=mermaid' }],
      400: [{ params: DEMO, query: 'format=xml' }],
    },
    getTemplateDiff: {
      ok: [{ params: DEMO, query: 'with=1.0.0' }],
      400: [{ params: DEMO }],
      404: [{ params: DEMO, query: 'with=9.9.9' }],
    },
  };
}

async function deadLetterRows(world: World): Promise<Table> {
  const { tasker } = world;
  const [entry] = (await tasker.deadLetters.list({}, { limit: 1 })).entries;
  return {
    getDlq: { ok: [{}, { query: 'resolution_status=Pending&offset=0' }], 400: [{ query: 'resolution_status=Odd' }] },
    getDlqEntries: {
      ok: [
        {},
        { query: 'status=all&dlq_reason=manual_dlq&unassigned&limit=1' },
        { query: 'status=all&namespace=test&unassigned&sort=added&limit=1&added_after=1h' },
      ],
      400: [
        { query: 'status=odd' },
        { query: 'sort=priority&status=all' },
        { query: 'unassigned&assignee=ana' },
        { query: 'added_after=never' },
        { query: 'cursor=x' },
        { query: 'task=7' },
      ],
    },
    updateDlqEntry: {
      ok: [
        {
          params: { dlq_entry_uuid: entry!.dlqEntryUuid },
          body: { resolution_notes: 'look later', resolved_by: 'ana' },
        },
      ],
      400: [{ params: { dlq_entry_uuid: entry!.dlqEntryUuid }, body: { resolution_status: 'Odd' } }],
      409: [{ params: { dlq_entry_uuid: await closedEntry(world) }, body: { resolution_status: 'Cancelled' } }],
    },
    getDlqStats: { ok: [{}, { query: 'namespace=test&added_after=1h' }], 400: [{ query: 'added_after=never' }] },
  };
}

async function overviewRows({ tasker }: World): Promise<Table> {
  const [worker] = await tasker.listWorkers();
  return {
    getAnalyticsPerformance: { ok: [{}, { query: 'hours=1' }], 400: [{ query: 'hours=0' }] },
    getAnalyticsBottlenecks: { ok: [{}, { query: 'min_executions=0' }] },
    getSummary: { ok: [{}, { query: 'namespace=test&limit=1&ended_since=7d' }], 400: [{ query: 'ended_since=never' }] },
    getStats: {
      ok: [{}, { query: 'namespace=test&name=demo&step=first&since=2h&sort=queueing' }],
      400: [{ query: 'since=never' }],
      404: [{ query: 'name=nothing' }],
    },
    getWorkers: { ok: [{}, { query: 'all&namespace=test&state=running' }], 400: [{ query: 'state=odd' }] },
    getWorker: { ok: [{ params: { name: worker!.name } }], 400: [{ params: { name: NUL } }] },
    getQueues: { ok: [{}, { query: 'namespace=test' }], 400: [{ query: 'namespace=nothing' }] },
    getHandlers: { ok: [{}, { query: 'namespace=elsewhere' }] },
  };
}

async function recordRows({ tasker }: World): Promise<Table> {
  const [bulk] = await tasker.bulk.list();
  return {
    getAudit: {
      ok: [{}, { query: 'actor=ana&limit=1&after=1h&action=task_cancel&fold=true' }],
      400: [{ query: 'task=7' }, { query: 'cursor=x' }, { query: 'door=back' }],
    },
    getBulkAct: {
      ok: [{ params: { id: String(bulk!.id) } }],
      400: [{ params: { id: 'x' } }],
      404: [{ params: { id: '999' } }],
    },
  };
}

async function eventRows({ tasker, tasks }: World): Promise<Table> {
  const [event] = await tasker.events.list({ limit: 1 });
  return {
    getEvents: {
      ok: [{}, { query: 'name=first.*&after=1h&limit=1' }, { query: `task=${tasks.complete}` }],
      400: [{ query: 'after=never' }, { query: 'task=7' }, { query: `name=${NUL}` }],
    },
    getEvent: { ok: [{ params: { event_id: event!.eventId } }], 404: [{ params: { event_id: UNKNOWN } }] },
    getEventsDead: { ok: [{}], 400: [{ query: 'event=7' }, { query: 'cursor=x' }], 404: [{ query: 'group=nothing' }] },
  };
}

/** Returns the id of a dead letter that is closed. */
async function closedEntry({ tasker, create }: World): Promise<string> {
  const { dlqEntryUuid } = await tasker.deadLetters.add(await create({ name: 'slow', reason: 'to close' }), {
    reason: 'look',
  });
  await tasker.deadLetters.update(dlqEntryUuid, { status: 'manually_resolved' }, { actor: 'ana' });
  return dlqEntryUuid;
}
