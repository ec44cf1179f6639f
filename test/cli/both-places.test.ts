import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { uuidV7 } from '../../src/model/ids.ts';
import { PAIR_HANDLERS, projectOnDatabase } from './installation.ts';
import { readingCommands } from './reading-commands.ts';
import type { Ended, RunningProcess } from './running.ts';

const PAIR = `name: pair
namespace: demo
version: "1.0.0"
identity_strategy: always_unique
steps:
  - name: first
    handler: first
    publishes_events:
      - { name: pair.made, description: Made., condition: success, delivery_mode: durable, schema: { type: object } }
  - { name: second, handler: second, dependencies: [first] }
`;
const WAITS = `name: waits
namespace: demo
version: "1.0.0"
identity_strategy: always_unique
steps:
  - { name: pause, type: timer, timer: { for: 14d } }
  - { name: pay, type: signal, signal: { name: paid, timeout: 7d } }
  - { name: agree, type: approval, approval: { title: Agree?, quorum: 2 } }
`;

/** User-defined JSON with keys that resemble fields of this package, in the order that PostgreSQL keeps. */
const ODD =
  '{"form":{"a_b":1},"error":{"error_type":"E","statusCode":7},"counts":{"a_b":1},"states":{"inProgress":2},"details":{"c_d":{"eF":1}},"__proto__":{"p_q":1},"createdAt":"now","task_uuid":"x"}';
/** The same JSON for templates and schedules, in which `__proto__` is not allowed. */
const PLAIN_ODD = ODD.replace('"__proto__":{"p_q":1},', '');
const ODD_TEMPLATE = `name: odd
namespace: odd
version: "1.0.0"
identity_strategy: always_unique
steps:
  - name: echo
    handler: echo
    handler_config: ${PLAIN_ODD}
    publishes_events:
      - { name: odd.echoed, description: Echoed., condition: success, delivery_mode: durable, schema: { type: object } }
  - { name: fail, handler: odd_fail, dependencies: [echo] }
  - { name: poll, handler: odd_poll, dependencies: [echo], wait: { timeout: 7d } }
  - { name: pay, type: signal, dependencies: [echo], signal: { name: paid, timeout: 7d } }
  - { name: agree, type: approval, dependencies: [echo], approval: { title: Agree?, quorum: 2, form: ${PLAIN_ODD} } }
`;
const ODD_HANDLERS = `import { defineHandler, notYet, PermanentError } from 'tasker-core';
const odd = () => JSON.parse('${ODD}');
export const echo = defineHandler('echo', {}, async () => odd());
export const oddFail = defineHandler('odd_fail', {}, async ({ logger }) => {
  logger.warn({ odd: odd() }, 'about to fail');
  throw new PermanentError('odd', { metadata: odd() });
});
export const oddPoll = defineHandler('odd_poll', {}, async () => notYet({ retryInMs: 86_400_000, checkpoint: odd() }));
`;

const on = projectOnDatabase({
  'templates/pair.yaml': PAIR,
  'templates/waits.yaml': WAITS,
  'templates/odd.yaml': ODD_TEMPLATE,
  'handlers/pair.js': PAIR_HANDLERS,
  'handlers/odd.js': ODD_HANDLERS,
});
const TEXTS = new Set([
  'task get',
  'task why',
  'task summary',
  'dlq show',
  'worker show',
  'template list',
  'event list',
]);
const UNKNOWN = '019b0000-0000-7000-8000-000000000000';
let server: RunningProcess;
let url: string;
/** Tasks with user-defined JSON in every place that can have it. */
const odd: string[] = [];
/** Tasks by state. Each action uses one of them on the database, and another one over the server. */
const stock: Record<'failed' | 'done' | 'waiting' | 'later', string[]> = {
  failed: [],
  done: [],
  waiting: [],
  later: [],
};
const take = (kind: keyof typeof stock): string => {
  const next = stock[kind].pop();
  if (next === undefined) throw new Error(`more ${kind} tasks are needed`);
  return next;
};

beforeAll(async () => {
  const { folder } = on.project;
  const tasker = await createTasker({
    databaseUrl: on.database.url,
    templates: `${folder}/templates`,
    handlers: `${folder}/handlers`,
    logger: silentLogger,
  });
  const create = async (kind: keyof typeof stock, count: number, request: Parameters<Tasker['createTask']>[0]) => {
    const made = Array.from({ length: count }, () => tasker.createTask({ namespace: 'demo', ...request }));
    stock[kind].push(...(await Promise.all(made)).map(({ taskUuid }) => taskUuid));
  };
  await create('failed', 34, { name: 'pair', tags: ['failed'], reason: 'to fail' });
  await create('done', 8, { name: 'pair', context: { lucky: true, in_snake: { a_b: 1 } } });
  await create('waiting', 16, { name: 'waits' });
  await create('later', 4, { name: 'pair', delayMs: 7_200_000 });
  const states = { failed: 'blocked_by_failures', done: 'complete', waiting: 'waiting', later: 'pending' } as const;
  const settled = async () => {
    for (const [kind, state] of Object.entries(states)) {
      for (const uuid of stock[kind as keyof typeof stock]) expect((await tasker.getTask(uuid)).status).toBe(state);
    }
  };
  await vi.waitFor(settled, { timeout: 60_000, interval: 100 });
  await createOddTasks(tasker);
  // Without a worker, nothing changes on its own.
  await tasker.stop();
  server = on.project.start(['server', '--bind', '127.0.0.1:0', '--json']);
  await server.until('server is ready');
  url = /"url":"([^"]+)"/.exec(server.output)![1]!;
});

afterAll(() => {
  server?.process.kill('SIGKILL');
});

async function createOddTasks(tasker: Tasker): Promise<void> {
  const json = JSON.parse(ODD) as Record<string, unknown>;
  const log = tasker.engine.events;
  const groups = await Promise.all(
    ['odd-here', 'odd-there'].map((name) => log.joinGroup({ name, patterns: ['odd.*'] })),
  );
  const settled = async (uuid: string) => {
    const states = Object.fromEntries((await tasker.getSteps(uuid)).map((step) => [step.name, step.currentState]));
    expect(states).toMatchObject({
      echo: 'complete',
      fail: 'error',
      poll: 'waiting',
      pay: 'waiting',
      agree: 'waiting',
    });
  };
  for (let i = 0; i < 6; i++) {
    const { taskUuid } = await tasker.createTask({ namespace: 'odd', name: 'odd', context: json });
    odd.push(taskUuid);
  }
  const [first] = odd as [string];
  const wait = { timeout: 60_000, interval: 100 };
  await vi.waitFor(() => Promise.all(odd.map(settled)), wait);
  await tasker.rerunTask(first, { from: 'echo' });
  await vi.waitFor(() => settled(first), wait);
  await tasker.completeStep(first, 'echo', { result: json, metadata: json, actor: 'ann' });
  await tasker.signal(first, 'paid', json);
  await tasker.approvals.vote(first, 'agree', { decision: 'approve', by: 'ann', form: json });
  await tasker.deadLetters.add(first, { metadata: json, actor: 'ann' });
  await log.sequence();
  for (const group of groups) {
    const { events, ...taken } = (await log.take(group, uuidV7(), { leaseMs: 60_000 }))!;
    const dead = events.map((event) => ({ id: event.id, taskUuid: event.taskUuid, error: 'out of paper' }));
    await log.finish({ events, ...taken }, { dead });
  }
}

const here = (args: string[]) => on.project.run(args);
/** Runs a command on a machine that reaches only the server. */
const there = (args: string[], env: Record<string, string> = {}) =>
  on.project.run(args, {
    env: { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', TASKER_ORCHESTRATION_URL: url, ...env },
  });

/** Replaces parts that differ between two runs, or between two objects that were created in the same way. */
function masked(text: string): string {
  return (
    text
      .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
      .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?/g, 'TIME')
      .replaceAll(/\d+(\.\d+)? ?(µs|ms|s|min|h|days?)\b( \d+ (s|min|h))?/g, 'SPAN')
      // The two ends of a span are shown as one if they round to the same second, which depends on the moment.
      .replaceAll('SPAN to SPAN', 'SPAN')
      .replaceAll(/-(here|there)\b/g, '-PLACE')
      .replaceAll(/\btsk_[\w-]+/g, 'KEY')
      .replaceAll(/bulk \d+/g, 'bulk N')
      .replaceAll('key:root', 'root')
      .replaceAll(/ +/g, ' ')
  );
}

const CHANGING =
  /_ms$|^(id|lag_ms|percentile_error|duration|queueing|seconds_behind|.*_minutes|.*_per_(hour|second|minute)|door)$/;

function maskedJson(value: unknown): unknown {
  if (typeof value === 'string') return masked(value);
  if (Array.isArray(value)) return value.map(maskedJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, CHANGING.test(key) && one !== null ? typeof one : maskedJson(one)]),
  );
}

function shownOf({ code, stdout, stderr }: Ended, args: readonly string[]): unknown {
  const out = args.includes('--json') && stdout !== '' ? maskedJson(JSON.parse(stdout)) : masked(stdout);
  return { code, out, err: masked(stderr) };
}

/** Returns how often JSON output contains the odd JSON, with exactly its keys. */
function oddIn(json: string, odd = ODD): number {
  return json === '' ? 0 : JSON.stringify(JSON.parse(json)).split(odd).length - 1;
}

/**
 * Expects the same output from a command on the database and over the server. Retries, because some numbers are counted
 * in the background.
 */
async function same(args: string[]): Promise<void> {
  let both: [unknown, unknown] = [0, 1];
  const attempt = async () => {
    both = [shownOf(await here(args), args), shownOf(await there(args), args)];
    return JSON.stringify(both[0]) === JSON.stringify(both[1]) || isEqual(both);
  };
  for (let tries = 0; tries < 5 && !(await attempt()); tries++);
  expect.soft(both[1], args.join(' ')).toEqual(both[0]);
}

function isEqual([one, other]: [unknown, unknown]): boolean {
  try {
    expect(one).toEqual(other);
    return true;
  } catch {
    return false;
  }
}

describe('a command prints the same output on a database and over a server', () => {
  it('if it reads data', async () => {
    const failed = stock.failed[0]!;
    const waiting = stock.waiting[0]!;
    const workers = await on.project.json<{ name: string }[]>(['worker', 'list', '--all']);
    await here(['schedule', 'create', 'nightly', '-t', 'demo/pair@1.0.0', '--cron', '0 3 * * *', '-i', '{"a_b":1}']);
    await here(['dlq', 'add', stock.failed[1]!, '-r', 'look']);
    await here(['dlq', 'note', stock.failed[1]!, 'a remark']);
    await here(['signal', 'send', waiting, 'paid', '--payload', '{"a_b":1}', '--by', 'ann']);
    await here(['namespace', 'pause', 'demo', '-r', 'calm', '-b', 'ann']);
    await here(['task', 'retry', ...stock.done.slice(0, 2).flatMap((uuid) => ['--id', uuid]), '--yes']);
    const events = await on.project.json<{ event_id: string }[]>(['event', 'list', '--name', 'pair.made']);
    const signals = await on.project.json<{ signals: { signal_id: string }[] }>(['signal', 'list', waiting]);
    const [bulk] = await on.project.json<{ id: number }[]>(['bulk', 'list', '-l', '1']);
    const tasks = [[failed], [waiting]];
    const values = {
      uuid: tasks,
      task: tasks,
      'task step': [
        [failed, 'second'],
        [waiting, 'agree'],
      ],
      'task get': [...tasks, [stock.done[0]!], [stock.later[0]!]],
      'task list': [
        ['--status', 'blocked_by_failures', '-l', '3'],
        ['--tag', 'none'],
      ],
      // It does not end.
      'task watch': [],
      'step list': [['--step-state', 'error', '-l', '2'], ...tasks],
      'approval list': [['-l', '2']],
      'approval show': [[waiting, 'agree']],
      'event list': [
        ['-l', '2', '--name', 'pair.*'],
        ['-l', '1', '--before', events[0]!.event_id],
      ],
      'worker list': [['--all']],
      'audit list': [['-l', '5']],
      signal: [[signals.signals[0]!.signal_id]],
      name: [['nightly']],
      entry: [[stock.failed[1]!]],
      event: [[events[0]!.event_id]],
      worker: [[workers[0]!.name]],
      namespace: [['demo']],
      template: [['demo/waits@1.0.0']],
      id: [[String(bulk!.id)]],
    };
    const reads = await readingCommands(values);
    for (const args of reads) {
      await same([...args, '--json']);
    }
    // The text is built from the same data. These commands use most of it.
    for (const args of reads.filter(([noun, verb]) => TEXTS.has(`${noun} ${verb}`))) await same(args);
    await here(['namespace', 'resume', 'demo']);
  });

  it('if it prints user-defined JSON, with keys that resemble fields of this package', async () => {
    const [task] = odd as [string];
    await on.project.json([
      'schedule',
      'create',
      'odd',
      '-t',
      'odd/odd@1.0.0',
      '--cron',
      '0 3 * * *',
      '-i',
      PLAIN_ODD,
      '--paused',
    ]);
    await here(['task', 'retry', '--context', ODD, '--step', 'nothing', '--yes']);
    const [event] = await on.project.json<{ event_id: string }[]>(['event', 'list', '--name', 'odd.echoed']);
    const { signals } = await on.project.json<{ signals: { signal_id: string }[] }>(['signal', 'list', task]);
    const [bulk] = await on.project.json<{ id: number }[]>(['bulk', 'list', '-l', '1']);
    /** The commands, and how often each prints the JSON at least. */
    const reads: [number, ...string[]][] = [
      [2, 'task', 'get', task],
      [6, 'task', 'list', '-n', 'odd', '--context', '{"states":{"inProgress":2}}'],
      [1, 'task', 'summary', '--context', ODD],
      [1, 'task', 'why', task],
      [6, 'task', 'export', task],
      [1, 'task', 'steps', task],
      [2, 'step', 'get', task, 'echo'],
      [1, 'step', 'get', task, 'fail'],
      [0, 'step', 'get', task, 'poll'],
      [0, 'step', 'get', task, 'agree'],
      [2, 'step', 'history', task],
      [1, 'step', 'logs', task, 'fail'],
      [1, 'signal', 'list', task],
      [1, 'signal', 'show', signals[0]!.signal_id],
      [1, 'approval', 'list', '-n', 'odd'],
      [1, 'approval', 'show', task, 'agree'],
      [1, 'schedule', 'list'],
      [1, 'schedule', 'show', 'odd'],
      [1, 'dlq', 'list'],
      [1, 'dlq', 'show', task],
      [1, 'event', 'list', '--name', 'odd.echoed'],
      [1, 'event', 'show', event!.event_id],
      [1, 'event', 'dead', 'odd-here'],
      [0, 'event', 'groups'],
      [0, 'event', 'lag'],
      [1, 'audit', 'list'],
      [1, 'bulk', 'list'],
      [1, 'bulk', 'show', String(bulk!.id)],
      [1, 'template', 'show', 'odd/odd@1.0.0'],
    ];
    for (const [times, ...args] of reads) {
      await same([...args, '--json']);
      const { stdout } = await there([...args, '--json']);
      const which = /^(schedule|template)$/.test(args[0]!) ? PLAIN_ODD : ODD;
      expect.soft(oddIn(stdout, which), args.join(' ')).toBeGreaterThanOrEqual(times);
    }
    const acts: [number, ...string[]][] = [
      [0, 'task', 'create', 'odd/odd', '-i', ODD],
      [0, 'task', 'copy', task, '-i', ODD],
      [0, 'signal', 'send', 'TASK', 'paid', '--payload', ODD],
      [1, 'approval', 'approve', 'TASK', 'agree', '--form', ODD],
      [0, 'step', 'complete', 'TASK', 'pay', '--result', ODD],
    ];
    for (const [times, ...args] of acts) {
      const [local, remote] = [odd[1]!, odd[2]!].map((uuid) => args.map((word) => (word === 'TASK' ? uuid : word)));
      const first = await here([...local!, '--json']);
      const second = await there([...remote!, '--json']);
      expect.soft(shownOf(second, ['--json']), args.join(' ')).toEqual(shownOf(first, ['--json']));
      expect.soft(oddIn(second.stdout), args.join(' ')).toBeGreaterThanOrEqual(times);
    }
    // The server stores the JSON as it was given: six tasks existed, and each place created two.
    // The list shows new tasks a moment later.
    const listed = async () => oddIn((await here(['task', 'list', '-n', 'odd', '--json'])).stdout);
    await expect.poll(listed).toBe(10);
    expect.soft(oddIn((await here(['step', 'get', odd[2]!, 'pay', '--json'])).stdout)).toBe(1);
    expect.soft(oddIn((await here(['signal', 'list', odd[2]!, '--json'])).stdout)).toBe(1);
    expect.soft(oddIn((await here(['approval', 'show', odd[2]!, 'agree', '--json'])).stdout)).toBe(1);
  });

  it('if the target does not exist', async () => {
    const wrong: string[][] = [
      ['task', 'get', UNKNOWN],
      ['task', 'get', 'no-id'],
      ['task', 'retry', UNKNOWN],
      ['step', 'retry', stock.failed[0]!, 'nothing'],
      ['signal', 'show', UNKNOWN],
      ['schedule', 'show', 'nothing'],
      ['dlq', 'show', UNKNOWN],
      ['event', 'show', UNKNOWN],
      ['worker', 'show', 'nothing'],
      ['queue', 'nothing'],
      ['template', 'show', 'demo/nothing@1.0.0'],
      ['stats', 'demo/nothing'],
    ];
    for (const args of wrong) await same(args);
  });

  it('if it changes data', async () => {
    const json = (...args: string[]) => [...args, '--json'];
    const [event] = (await on.project.json<{ event_id: string }[]>(['event', 'list', '--name', 'odd.echoed'])) as [
      { event_id: string },
    ];
    const acts: ((place: 'here' | 'there') => string[])[] = [
      () => ['task', 'cancel', take('failed'), '-r', 'over'],
      () => ['task', 'cancel', take('done')],
      () => ['task', 'retry', take('failed')],
      () => ['task', 'retry', take('done')],
      () => ['task', 'resolve', take('failed')],
      () => ['task', 'rerun', take('done'), '--from', 'second'],
      () => ['task', 'rerun', stock.failed[0]!, '--from', 'first', '--dry-run'],
      () => ['task', 'copy', stock.failed[0]!, '-i', '{"a_b":1}'],
      () => ['task', 'pause', take('failed'), '-r', 'calm'],
      () => ['task', 'delete', take('done'), '--yes'],
      () => ['task', 'start-now', take('later')],
      () => ['task', 'reschedule', take('later'), '--in', '3h'],
      () => ['task', 'retry', '--id', take('failed'), '--id', take('failed'), '--yes'],
      () => ['task', 'retry', '--id', stock.failed[0]!, '--id', UNKNOWN, '--dry-run'],
      () => ['task', 'cancel', '--tag', 'none', '--yes'],
      () => ['task', 'create', 'pair', '-t', 'made', '-p', '3'],
      () => ['task', 'create', 'pair', '--in', '2h'],
      (place) => ['task', 'create', 'pair', '-k', `key-${place}`],
      (place) => ['task', 'create', 'pair', '-k', `key-${place}`],
      (place) => ['task', 'create', 'pair', '-k', `key-${place}`, '--return-existing'],
      () => ['step', 'retry', take('failed'), 'second', '-r', 'again'],
      () => ['step', 'reset', take('failed'), 'second'],
      () => ['step', 'resolve', take('failed'), 'second', '--result', '{"a_b":1}'],
      () => ['step', 'complete', take('failed'), 'second', '--result', '{"a_b":1}'],
      () => ['step', 'complete', take('waiting'), 'pay', '--result', '7'],
      () => ['step', 'retry', stock.done[0]!, 'first'],
      () => ['timer', 'fire', take('waiting'), 'pause'],
      () => ['timer', 'move', take('waiting'), 'pause', '--in', '2h'],
      () => ['timer', 'move', take('waiting'), 'pause', '2035-01-01T00:00:00Z'],
      () => ['signal', 'send', take('waiting'), 'paid', '--payload', '{"a_b":1}'],
      () => ['approval', 'approve', take('waiting'), 'agree', '--by', 'ann', '--comment', 'yes'],
      () => ['approval', 'reject', take('waiting'), 'agree', '--by', 'bob'],
      (place) => ['schedule', 'create', `s-${place}`, '-t', 'demo/pair@1.0.0', '--every', '2h', '--jitter', '5m'],
      (place) => ['schedule', 'create', `s-${place}`, '-t', 'demo/pair@1.0.0', '--every', '2h'],
      (place) => ['schedule', 'update', `s-${place}`, '--every', '3h', '--unset', 'jitter'],
      (place) => ['schedule', 'pause', `s-${place}`, '-r', 'calm'],
      (place) => ['schedule', 'resume', `s-${place}`],
      (place) => ['schedule', 'trigger', `s-${place}`, '-i', '{"a_b":1}'],
      (place) => [
        'schedule',
        'backfill',
        `s-${place}`,
        '--from',
        '2026-01-01T00:00Z',
        '--to',
        '2026-01-01T06:00Z',
        '--dry-run',
      ],
      (place) => ['schedule', 'delete', `s-${place}`, '--yes'],
      () => ['dlq', 'add', take('failed'), '-r', 'look', '--priority', '5'],
      () => ['dlq', 'assign', stock.failed[1]!, '--to', 'ann', '--priority', '7'],
      () => ['dlq', 'update', stock.failed[1]!, '--notes', 'seen'],
      () => ['dlq', 'redrive', take('failed'), '--dry-run'],
      () => ['dlq', 'add', '--id', take('failed'), '--assignee', 'ann'],
      () => ['dlq', 'note', stock.failed[1]!, 'another remark'],
      () => ['dlq', 'redrive', '--assignee', 'ann', '--dry-run'],
      () => ['approval', 'approve', '--task', stock.waiting[0]!, '--dry-run'],
      () => ['approval', 'reassign', take('waiting'), 'agree', '--to', 'ann', '--by', 'bob'],
      (place) => ['event', 'dead', `odd-${place}`, '--redeliver', '--event', event.event_id, '--yes'],
      (place) => ['event', 'dead', `odd-${place}`, '--discard', '--yes'],
      (place) => ['event', 'replay', `odd-${place}`, '--name', 'odd.*', '--after', '2020-01-01', '--dry-run'],
      (place) => ['event', 'replay', `odd-${place}`, '--name', 'odd.*', '--yes'],
      (place) => ['event', 'remove', `odd-${place}`, '--yes'],
      () => ['namespace', 'pause', 'demo'],
      () => ['namespace', 'resume', 'demo'],
      () => ['template', 'activate', 'demo/pair@1.0.0', '-r', 'calm'],
      () => ['template', 'activate', 'demo/pair@latest'],
      () => ['template', 'pause', 'demo/pair@1.0.0'],
      () => ['template', 'resume', 'demo/pair@1.0.0'],
    ];
    for (const act of acts) {
      const [first, second] = [json(...act('here')), json(...act('there'))];
      const local = shownOf(await here(first), first);
      const undo = { pause: 'resume', resume: 'pause' }[first[1]!];
      // An activation is undone by the opposite one.
      const back = first[2] === 'demo/pair@latest' ? 'demo/pair@1.0.0' : 'demo/pair@latest';
      if (first[1] === 'activate') await here(['template', 'activate', back]);
      // Both commands pause or resume the same target, so this undoes the first one.
      if (undo && /^(namespace|template)$/.test(first[0]!)) await here([first[0]!, undo, first[2]!]);
      const remote = shownOf(await there(second), second);
      expect.soft(remote, second.join(' ')).toEqual(local);
    }
  });

  it('if it manages API keys, and a server with a key requires a credential', async () => {
    const admin = (await here(['auth', 'key', 'create', 'root', '--role', 'admin'])).stdout.trim();
    const viewer = (await here(['auth', 'key', 'create', 'eyes', '--role', 'viewer'])).stdout.trim();
    // The server checks periodically for keys, and writes the time of the last use later.
    await expect
      .poll(async () => (await there(['auth', 'key', 'list', '--json'], { TASKER_API_KEY: admin })).stdout, {
        timeout: 30_000,
      })
      .toMatch(/"last_used_at": ?"/);
    for (const act of ['create', 'list', 'rotate', 'revoke']) {
      const args = (place: string) => {
        const rest = act === 'list' ? ['--all'] : [`k-${place}`, ...(act === 'create' ? ['--role', 'viewer'] : [])];
        return ['auth', 'key', act, ...rest, '--json'];
      };
      const local = shownOf(await here([...args('here'), ...(act === 'list' ? [] : ['--by', 'root'])]), ['--json']);
      const remote = await there(args('there'), { TASKER_API_KEY: admin });
      expect.soft(shownOf(remote, ['--json']), act).toEqual(local);
    }
    // The server checks periodically for keys.
    await expect
      .poll(async () => (await there(['pause', 'list'])).stderr, { timeout: 30_000 })
      .toContain('set TASKER_API_KEY, or save the key with');
    const wrong = await there(['task', 'list'], { TASKER_API_KEY: `${viewer}x` });
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining(`${url} rejected the credential`)]);
    const refused = await there(['task', 'retry', stock.failed[0]!], { TASKER_API_KEY: viewer });
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('tasks:update')]);
    // Optional parts of the output are omitted if the credential may not read them.
    const shown = await there(['task', 'get', stock.failed[0]!], { TASKER_API_KEY: viewer });
    expect([shown.code, shown.stderr]).toEqual([0, '']);
  });

  it('if it lists and ends the sessions of browsers', async () => {
    const admin = { TASKER_API_KEY: (await here(['auth', 'key', 'create', 'boss', '--role', 'admin'])).stdout.trim() };
    const pat = (await here(['auth', 'key', 'create', 'pat', '--role', 'viewer'])).stdout.trim();
    const begin = async () => {
      const answer = await fetch(`${url}/v1/session`, { method: 'POST', headers: { 'x-api-key': pat } });
      return answer.status;
    };
    // The server checks periodically for keys.
    await expect.poll(begin, { timeout: 30_000 }).toBe(201);
    expect(await begin()).toBe(201);
    const reads = [['list'], ['list', '--subject', 'key:pat', '--json'], ['list', '--subject', 'x'], ['end', 'x']];
    for (const read of reads) {
      const args = ['auth', 'session', ...read];
      const local = await here(args);
      expect.soft(await there(args, admin), args.join(' ')).toEqual(local);
    }
    const ended = /^(ended session [0-9a-f]{16} of key:pat\n){2}$/;
    const end = ['auth', 'session', 'end', 'key:pat', '--reason', 'left'];
    expect(await here([...end, '--by', 'ann'])).toMatchObject({ code: 0, stdout: expect.stringMatching(ended) });
    expect([await begin(), await begin()]).toEqual([201, 201]);
    expect(await there(end, admin)).toMatchObject({ code: 0, stdout: expect.stringMatching(ended) });
    expect((await here(['auth', 'session', 'list', '--subject', 'key:pat'])).stderr).toBe('no sessions of key:pat\n');
  });
});

it('the export of a task is written to a file, and the command names the file', async () => {
  const [task] = stock.failed;
  const { code, stdout, stderr } = await here(['task', 'export', task!, '-o', 'out/task.json']);
  expect([code, stdout, stderr]).toEqual([0, '', 'wrote out/task.json\n']);
  const document = JSON.parse(readFileSync(`${on.project.folder}/out/task.json`, 'utf8')) as object;
  expect(document).toMatchObject({ task: { task_uuid: task }, omitted: [] });
});
