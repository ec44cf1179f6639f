// The cases that a worker over HTTP must pass. docs/guide/http-workers.md describes the handlers that they need.
import assert from 'node:assert/strict';
import { LEASE_SECONDS, until } from './world.mjs';

const attemptsOf = async (world, uuid) => (await world.history(uuid)).filter(({ kind }) => kind === 'attempt');
const outcomes = async (world, uuid) => (await attemptsOf(world, uuid)).map(({ what }) => what);

/** Applies a fault to the next matching request. Returns a function that reports whether the fault has occurred. */
function once(world, pattern, fault) {
  let done = false;
  world.proxy.decide = (url) => {
    if (done || !pattern.test(url)) return undefined;
    done = true;
    return fault;
  };
  return () => done;
}

async function pair(world) {
  const uuid = await world.create('pair', { numbers: [1, 2, 3] });
  await world.ended(uuid);
  assert.deepEqual((await world.step(uuid, 'sum')).results.result, { sum: 6 });
  assert.deepEqual(await outcomes(world, uuid), ['completed', 'completed']);
}

const REPORTS = /\/(complete|fail|batch)$/;

export const CASES = {
  'it runs steps, and passes the results of earlier steps': pair,
  'a retryable failure runs again': async (world) => {
    const uuid = await world.create('retry');
    await world.ended(uuid);
    assert.deepEqual(await outcomes(world, uuid), ['failed', 'completed']);
    assert.deepEqual((await world.step(uuid, 'retry')).results.result, { attempt: 2 });
  },
  'a permanent failure does not run again': async (world) => {
    const uuid = await world.create('permanent');
    await world.ended(uuid, 'blocked_by_failures');
    const [attempt, ...more] = await attemptsOf(world, uuid);
    assert.deepEqual([attempt.error.error_type, attempt.error.retryable, more.length], ['conformance_error', false, 0]);
  },
  'a lost response to a claim loses no step': async (world) => {
    const happened = once(world, /\/claim$/, 'drop');
    await pair(world);
    assert.ok(happened());
  },
  'a lost response to an outcome runs no step twice': async (world) => {
    const happened = once(world, REPORTS, 'drop');
    await pair(world);
    assert.ok(happened());
  },
  'repeated requests change nothing': async (world) => {
    world.proxy.decide = (url) => (/\/(claim|complete|fail|batch|checkpoint)$/.test(url) ? 'twice' : undefined);
    await pair(world);
  },
  'it stops a step whose task is cancelled': async (world) => {
    const uuid = await world.create('slow', { seconds: 120 });
    await world.running(uuid, 'slow');
    const { step_uuid } = await world.step(uuid, 'slow');
    await until('a heartbeat lists the step', () => world.proxy.listed.includes(step_uuid));
    await world.ask('DELETE', `tasks/${uuid}`);
    await until('no heartbeat lists the step', () => !world.proxy.listed.includes(step_uuid));
  },
  'it stops a step whose timeout has expired': async (world) => {
    const uuid = await world.create('limited', { seconds: 120 });
    await world.ended(uuid, 'blocked_by_failures');
    const [attempt] = await attemptsOf(world, uuid);
    assert.equal(attempt.error.error_type, 'timeout');
    const { step_uuid } = await world.step(uuid, 'limited');
    const { beats } = world.proxy;
    await until(
      'no heartbeat lists the step',
      () => world.proxy.beats > beats + 1 && !world.proxy.listed.includes(step_uuid),
    );
  },
  'it resumes from a checkpoint': async (world) => {
    const uuid = await world.create('resume');
    await world.ended(uuid);
    assert.deepEqual(await outcomes(world, uuid), ['failed', 'completed']);
    assert.deepEqual((await world.step(uuid, 'resume')).results.result, { resumed_from: 3, done: 6 });
  },
  'a worker without a lease registers again': async (world) => {
    const uuid = await world.create('slow', { seconds: 2 });
    await world.running(uuid, 'slow');
    world.proxy.decide = () => 'refuse';
    await until('the worker is lost', async () => (await outcomes(world, uuid)).includes('worker_lost'));
    world.proxy.decide = () => undefined;
    await world.ended(uuid);
    assert.deepEqual(await outcomes(world, uuid), ['worker_lost', 'completed']);
  },
  'a killed worker is replaced': async (world) => {
    const uuid = await world.create('slow', { seconds: 2 });
    await world.running(uuid, 'slow');
    await world.killed(world.worker);
    world.startWorker();
    await world.ended(uuid);
    assert.deepEqual(await outcomes(world, uuid), ['worker_lost', 'completed']);
  },
  'it finishes its step and ends cleanly after SIGTERM': async (world) => {
    const uuid = await world.create('slow', { seconds: 1 });
    await world.running(uuid, 'slow');
    world.worker.kill('SIGTERM');
    const { code } = await world.worker.over;
    assert.equal(code, 0);
    assert.deepEqual(await outcomes(world, uuid), ['completed']);
  },
  // Last, with a lease that is longer than any restart.
  'a killed server loses no step': async (world) => {
    const restart = async () => {
      await world.killed(world.server);
      await world.startServer(120);
    };
    await restart();
    const { beats } = world.proxy;
    await until('a heartbeat extends the lease', () => world.proxy.beats > beats);
    const uuid = await world.create('slow', { seconds: 2 });
    await world.running(uuid, 'slow');
    await restart();
    await world.ended(uuid);
    assert.deepEqual(await outcomes(world, uuid), ['completed']);
  },
};

/** Creates load with lost responses, while server and worker are killed. Returns counts of tasks and kills. */
export async function storm(world, { seconds, random = Math.random }) {
  for (const child of [world.worker, world.server]) await world.killed(child);
  await world.startServer();
  world.startWorker();
  world.proxy.decide = () => (random() < 0.02 ? 'drop' : undefined);
  const tasks = [];
  const kills = { server: 0, worker: 0 };
  const end = Date.now() + seconds * 1000;
  for (let round = 0; Date.now() < end; round++) {
    for (let i = 0; i < 40; i++)
      tasks.push(await world.create(['pair', 'retry', 'resume'][i % 3], { numbers: [i, 1] }));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const victim = round % 2 === 0 ? 'server' : 'worker';
    await world.killed(world[victim]);
    kills[victim]++;
    if (victim === 'server') await world.startServer();
    else world.startWorker();
  }
  for (const uuid of tasks)
    await until(
      `task ${uuid} ends`,
      async () => (await world.ask('GET', `tasks/${uuid}`)).status === 'complete',
      120_000,
    );
  let lost = 0;
  for (const uuid of tasks) {
    const attempts = await attemptsOf(world, uuid);
    const done = attempts.filter(({ what }) => what === 'completed').map(({ step }) => step);
    assert.equal(new Set(done).size, done.length, `a step of task ${uuid} completed twice`);
    // A number can occur twice, after a release or a kill. The number and the start together identify an attempt.
    const keys = attempts.map(({ step, attempt, started_at: startedAt }) => `${step} ${attempt} ${startedAt}`);
    assert.equal(new Set(keys).size, keys.length, `an attempt of task ${uuid} ended twice`);
    lost += attempts.filter(({ what }) => what === 'worker_lost').length;
    const sum = (await world.step(uuid, 'sum'))?.results?.result.sum;
    if (sum !== undefined) assert.ok(sum >= 1, `task ${uuid} has a wrong result`);
  }
  const { drop, requests } = world.proxy.counts;
  return {
    tasks: tasks.length,
    kills,
    requests,
    answers_lost: drop,
    attempts_lost: lost,
    lease_seconds: LEASE_SECONDS,
  };
}
