// Runs every statement of waits, for explain.mjs.
import { createTasker, mustParseTemplate, silentLogger } from 'tasker-core';
import { KIND } from '../dist/engine/engine.js';

const STEPS = 400;

/** Lets many steps wait for a time, a completion and a call, and ends these waits. */
export async function everyWait(url, probe) {
  const steps = ['a', 'b'].map((name, i) => ({ name, handler: 'none', dependencies: i === 0 ? [] : ['a'] }));
  const template = mustParseTemplate(
    JSON.stringify({ name: 'waits', namespace: 'waits', version: '1.0.0', identity_strategy: 'always_unique', steps }),
  );
  const tasker = await createTasker({ databaseUrl: url, templates: template, worker: false, logger: silentLogger });
  const { engine } = tasker;
  await tasker.createTasks(Array.from({ length: STEPS }, () => ({ name: 'waits', namespace: 'waits' })));
  const identity = { name: 'waits', host: 'h', pid: 1, namespaces: ['waits'], callables: [], concurrency: 1 };
  const workerId = await engine.registerWorker({ ...identity, leaseMs: 600_000 });
  const namespaceIds = await engine.namespaceIds(['waits']);
  let claims = 0;
  for (const kind of ['call', 'completion', 'timer']) {
    const token = workerId * 2 ** 24 + ++claims;
    const { steps: claimed } = await engine.claim({ limit: STEPS, token, workerId, namespaceIds, excluded: [] });
    const batch = claimed.map(({ taskUuid, idx, templateId, rank }) => {
      const key = { taskUuid, idx, claim: token, templateId, rank, durationMs: 1, delayMs: 0 };
      return { ...key, kind: KIND.waits, result: 'null', detail: 'null', wait: { kind, forMs: 60_000, settings: {} } };
    });
    await engine.record(batch, { freeSlots: 0, token: 0, lastRank: -101 });
    await probe.query('update tasker.wait set until = now(), due_at = now() where ended_at is null');
    await engine.promoteDue();
    // The completions failed, and their steps wait for a retry.
    await probe.query(`update tasker.step set next_at = now() where state = 'waiting_for_retry'`);
    await probe.query('update tasker.timer set due_at = now()');
    await engine.promoteDue();
  }
  await tasker.stop();
}
