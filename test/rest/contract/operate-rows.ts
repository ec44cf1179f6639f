import type { World } from '../../support/rest/world.ts';
import { ACT, type Row, type Table, UNKNOWN } from './row.ts';

/** Acts on workers, on groups of subscribers, and on pauses. */
export async function operateRows(world: World): Promise<Table> {
  const { tasker } = world;
  await tasker.engine.events.joinGroup({ name: 'obsolete', patterns: ['first.*'] });
  const [worker] = await tasker.listWorkers();
  const stopped: Row = { params: { name: await stoppedWorker(world) }, body: ACT };
  const live: Row = { params: { name: worker!.name }, body: ACT };
  const orphan = { namespace: 'elsewhere', name: 'orphan' };
  const pausing = (params: Record<string, string>) => ({
    ok: [
      { params, body: ACT },
      { params, body: {} },
    ],
    400: [{ params, body: { by: 7 } }],
  });
  return {
    postTemplatePause: pausing(orphan),
    postTemplateResume: pausing(orphan),
    postTemplateVersionPause: pausing({ ...orphan, version: '1.0.0' }),
    postTemplateVersionResume: pausing({ ...orphan, version: '1.0.0' }),
    postTemplateActivate: {
      ...pausing({ ...orphan, version: '1.0.0' }),
      404: [{ params: { ...orphan, version: '9.9.9' } }, { params: { ...orphan, name: 'nothing', version: 'latest' } }],
    },
    postNamespacePause: pausing({ namespace: 'elsewhere' }),
    postNamespaceResume: pausing({ namespace: 'elsewhere' }),
    getPauses: { ok: [{}, { query: 'limit=1' }], 400: [{ query: 'limit=0' }, { query: 'cursor=x' }] },
    ...eventActRows(),
    postWorkerDrain: { ok: [live, live], 400: [{ ...live, body: { by: 7 } }], 409: [stopped] },
    postWorkerResume: { ok: [live, live], 400: [{ ...live, body: { by: 7 } }], 409: [stopped] },
  };
}

function eventActRows(): Table {
  const audit = { ...ACT, group: 'audit' };
  const dead = {
    ok: [{ body: audit }],
    400: [{ body: ACT }, { body: { ...audit, event: '7' } }],
    404: [{ body: { ...audit, group: 'nothing' } }, { body: { ...audit, event: UNKNOWN } }],
  };
  return {
    postEventsReplay: {
      ok: [{ body: { ...audit, dry_run: true } }, { body: { ...audit, name: 'first.*', after: '1h' } }],
      400: [{ body: ACT }, { body: { ...audit, after: 'never' } }, { body: { ...audit, task: '7' } }],
      404: [{ body: { ...audit, group: 'nothing' } }],
    },
    postEventsDeadRedeliver: dead,
    postEventsDeadDiscard: dead,
    deleteEventsGroup: {
      ok: [{ params: { group: 'obsolete' }, body: ACT }],
      400: [{ params: { group: 'obsolete' }, body: { by: 7 } }],
    },
  };
}

/** Returns the name of a worker that has stopped. */
async function stoppedWorker({ tasker }: World): Promise<string> {
  const about = { name: 'gone', host: 'h', pid: 1, namespaces: ['elsewhere'], callables: [], concurrency: 1 };
  const id = await tasker.engine.registerWorker({ ...about, leaseMs: 600_000 });
  await tasker.engine.stopWorker(id, { timeoutMs: 20_000 });
  return about.name;
}
