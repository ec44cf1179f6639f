import { createApiKey } from '../../../src/app/credentials/api-keys.ts';
import { type GivenStep, TestWorker } from '../../support/rest/http-worker.ts';
import type { World } from '../../support/rest/world.ts';
import { template } from '../../support/setup.ts';
import type { Row, Rows, Table } from './row.ts';

/** Requests of workers that use this API. */
export async function workRows({ tasker, ask }: World): Promise<Table> {
  await tasker.registerTemplates([
    template({ job: { retry: { backoff: 'none' } } }, { namespace: 'work', name: 'job' }),
  ]);
  const request = { namespace: 'work', name: 'job', version: '1.0.0', context: {} };
  for (let i = 0; i < 6; i++) await tasker.createTask<string, string, string>(request);
  const worker = new TestWorker((path, body) => ask('POST', `/v1/${path}`, body));
  const registration = { protocol: 1, name: 'py', instance: worker.instance, namespaces: ['work'], handlers: ['job'] };
  await worker.register(['job'], { namespaces: ['work'] });
  const steps = await worker.steps({ slots: 5 });
  const { key } = await createApiKey(
    tasker,
    { name: 'foreign-worker', permissions: ['steps:work'], namespaces: ['elsewhere'] },
    { actor: 'ana' },
  );
  const [one, two, three, four, five] = steps as [GivenStep, GivenStep, GivenStep, GivenStep, GivenStep];
  const of = ({ step_uuid: uuid, fence }: GivenStep, more: object = {}): Row => ({
    params: { uuid },
    body: { fence, ...more },
  });
  const gone = { ...one, fence: `${2 ** 29 * 2 ** 24 - 1}.1.0` };
  const rowsOf = (step: GivenStep, more: object, wrong: object): Rows => ({
    ok: [of(step, more), of(step, more)],
    400: [of(step, { ...more, ...wrong }), of({ ...step, fence: 'x' }, more)],
    409: [of(gone, more)],
  });
  const beat = { steps: steps.map(({ step_uuid, fence }) => ({ step_uuid, fence })) };
  const claim = { worker_id: worker.id, request_id: 100, slots: 5 };
  const { step_uuid, fence } = four;
  return {
    postWorkers: {
      ok: [{ body: registration }],
      400: [{ body: { ...registration, handlers: ['~x'] } }, { body: { ...registration, protocol: 2 } }],
      404: [{ body: registration, secured: true, headers: { 'x-api-key': key } }],
    },
    postWorkerHeartbeat: {
      ok: [{ params: { id: String(worker.id) }, body: beat }],
      400: [{ params: { id: 'x' }, body: beat }],
      404: [{ params: { id: '999999' }, body: beat }],
      409: [{ params: { id: String(await lostWorker(worker)) }, body: { steps: [] } }],
    },
    postStepsClaim: {
      ok: [{ body: claim }, { body: claim }],
      400: [{ body: { ...claim, slots: 0 } }, { body: { ...claim, namespaces: ['test'] } }],
      404: [{ body: { ...claim, worker_id: 999_999 } }],
      409: [{ body: { ...claim, worker_id: await lostWorker(worker) } }],
    },
    postStepsBatch: {
      ok: [
        {
          body: {
            steps: [
              { action: 'checkpoint', step_uuid, fence, cursor: 1 },
              { action: 'complete', step_uuid, fence },
            ],
          },
        },
        { body: { steps: [{ action: 'release', step_uuid, fence: gone.fence }] } },
      ],
      400: [{ body: { steps: [] } }, { body: { steps: [{ action: 'drop', step_uuid, fence }] } }],
    },
    postStepComplete: rowsOf(one, { result: { a: 1 }, metadata: { ms: 3 } }, { duration_ms: -1 }),
    postStepFail: rowsOf(two, { message: 'no', retryable: false, retry_after: 3 }, { retryable: 'maybe' }),
    postStepCheckpoint: rowsOf(five, { cursor: { at: 7 }, items_processed: 3 }, { items_processed: -1 }),
    postStepRelease: rowsOf(three, {}, { odd: 1 }),
  };
}

/** Registers a worker, signs it off, and returns its id. */
async function lostWorker({ ask }: TestWorker): Promise<number> {
  const lost = new TestWorker(ask);
  await lost.register(['job'], { namespaces: ['work'] });
  await lost.beat([], { phase: 'stopped' });
  return lost.id;
}
