import net from 'node:net';
import v8 from 'node:v8';
import vm from 'node:vm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { consoleLogger } from '../../src/logging/console-logger.ts';
import { listen } from '../../src/server/listen.ts';
import { pick, type RandomRequest, RandomRequests, randomOf } from '../support/rest/random-requests.ts';
import { servedApi } from '../support/rest/served-api.ts';
import { DEMO, template } from '../support/setup.ts';
import { effort, PROVE } from '../support/suite/effort.ts';
import { approvalStep, signalStep } from '../support/waits/waiting.ts';

/** Number of requests. */
const ALL = Number(process.env.FUZZ_REQUESTS ?? effort({ test: 1_000, rest: 5_000, prove: 1_000_000 }));
/** `FUZZ_PART=2/4`: this process sends the second quarter of the requests. */
const [PART, PARTS] = (process.env.FUZZ_PART ?? '1/1').split('/').map(Number) as [number, number];
const FIRST = Math.floor((ALL * (PART - 1)) / PARTS);
const REQUESTS = Math.floor((ALL * PART) / PARTS) - FIRST;
const RAW = Math.ceil(REQUESTS / 20);
const AT_ONCE = 16;
/** The same seed creates the same requests. */
const SEED = Number(process.env.SEED ?? 20_261_128);

/** Log lines that were injected, or that report an unexpected error. */
const badLines: string[] = [];

/** A line of the log is one line of JSON, for any contents of the request. */
function checkLine(line: string): void {
  const isGood = () => {
    const { msg } = JSON.parse(line) as { msg?: string };
    return line.trimEnd().split(/[\n\r]/).length === 1 && msg !== 'injected' && msg !== 'unexpected error in a request';
  };
  try {
    if (isGood()) return;
  } catch {
    // The line is not JSON.
  }
  if (badLines.length < 20) badLines.push(line.slice(0, 2000));
}

let api: Awaited<ReturnType<typeof servedApi>>;
let requests: RandomRequests;

beforeAll(async () => {
  const logger = consoleLogger({ level: 'debug', form: 'json', write: checkLine });
  api = await servedApi({
    logger,
    templates: [
      template({ first: [], second: ['first'] }),
      template({ sign: approvalStep(), paid: signalStep('paid') }, { name: 'waits' }),
    ],
  });
  await api.sql('create table canary (n int)');
  await api.sql('insert into canary values (1)');
  const tasks = await api.tasker.createTasks(
    Array.from({ length: 30 }, (_, n) => ({ ...DEMO, idempotencyKey: `k${n}`, name: n % 3 === 0 ? 'waits' : 'demo' })),
  );
  const ids = tasks.map(({ taskUuid }) => taskUuid);
  const steps = await Promise.all(ids.slice(0, 3).map((id) => api.tasker.getSteps(id)));
  const entries = await Promise.all(ids.slice(0, 5).map((id) => api.tasker.deadLetters.add(id)));
  await api.tasker.schedules.create({ name: 'nightly', template: 'test/demo@1.0.0', cron: '0 2 1 1 *' });
  const step = ['first', 'second', 'sign', 'paid'];
  requests = new RandomRequests(api.document, {
    uuid: ids,
    task_uuid: ids,
    task: ids,
    ids,
    step,
    from: step,
    step_uuid: steps.flat().map(({ stepUuid }) => stepUuid),
    dlq_entry_uuid: entries.map(({ dlqEntryUuid }) => dlqEntryUuid),
    namespace: ['test'],
    version: ['1.0.0'],
    name: ['demo', 'waits', 'nightly', 'paid'],
    template: ['test/demo@1.0.0', 'test/waits'],
    key: ['k1', 'k2'],
    id: ['1', '2', '3'],
  });
});
afterAll(() => api.stop());

/** Returns the problem with the response to a request. */
async function problemOf({ method, path, headers, body }: RandomRequest): Promise<string | undefined> {
  let request: Request;
  try {
    request = new Request(`http://localhost${path}`, { method, headers, ...(body !== undefined && { body }) });
  } catch {
    // No client can send this request.
    return undefined;
  }
  const response = await api.app.fetch(request);
  const { status } = response;
  // A stream of events does not end.
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  if (isStream) await response.body?.cancel();
  const text = isStream ? '' : await response.text();
  if (response.headers.has('set-cookie')) return 'a header was injected';
  if (!response.headers.has('x-request-id')) return 'there is no request id';
  if (!/^[0-9a-f-]{36}$/.test(response.headers.get('x-request-id')!)) return "the request id is not the server's";
  if (!(response.headers.get('content-type') ?? '').startsWith('application/json'))
    return status >= 500 ? `status ${status}` : undefined;
  const answer = { status, headers: response.headers, body: JSON.parse(text) as unknown };
  if (status >= 500 && status !== 503) return `status ${status}: ${text.slice(0, 300)}`;
  if (status >= 400 && !/^\{"error":\{"code":"[A-Z_]+","message":/.test(text))
    return `the error has another form: ${text.slice(0, 300)}`;
  return api.contract.problemOf({ method, path: path.split('?')[0]! }, answer);
}

it(`${REQUESTS} generated requests get documented responses, and nothing in the requests is executed`, {
  timeout: PROVE ? 36_000_000 : 240_000,
}, async () => {
  const wrong: string[] = [];
  const heap: number[] = [];
  await atOnce(async (n) => {
    if (wrong.length >= 20) return;
    const at = FIRST + n;
    const request = requests.create(SEED, at);
    const problem = await problemOf(request).catch((error: unknown) => `threw ${String((error as Error).stack)}`);
    if (problem !== undefined) {
      const { method, path, headers, body } = request;
      wrong.push(
        `seed ${SEED}, number ${at}: ${method} ${path.slice(0, 300)} ${JSON.stringify(headers).slice(0, 300)} ${body?.slice(0, 600)}\n    ${problem}`,
      );
    }
    if (PROVE && (n + 1) % Math.ceil(REQUESTS / 20) === 0) {
      heap.push(heapInUse());
      process.stderr.write(`${n + 1} of ${REQUESTS} requests, heap of ${Math.round(heap.at(-1)! / 1e6)} MB\n`);
    }
  }, REQUESTS);
  // Both are compared together, because a log line explains an unexpected status.
  expect({ wrong, badLines }).toEqual({ wrong: [], badLines: [] });
  expect(await api.sql('select n from canary')).toEqual([{ n: 1 }]);
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  // The heap after the first tenth may not double.
  if (PROVE) expect(Math.min(...heap.slice(-3))).toBeLessThan(2 * Math.max(...heap.slice(0, 3)));
});

it(`${RAW} requests of broken bytes are rejected by the server, which keeps serving`, {
  timeout: PROVE ? 3_600_000 : 240_000,
}, async () => {
  const listening = await listen(api.app, { host: '127.0.0.1', port: 0 });
  try {
    const statuses = new Set<string>();
    await atOnce(async (n) => {
      const at = FIRST + n;
      statuses.add(await statusOf(listening.port, brokenBytes(requests.create(SEED + 1, at), at)));
    }, RAW);
    expect([...statuses].filter((status) => /^5(?!03)/.test(status))).toEqual([]);
    expect(await (await fetch(`${listening.url}/health`)).json()).toMatchObject({ status: 'healthy' });
  } finally {
    await listening.close();
  }
});

/** Calls a function for the numbers below `count`, 16 at a time. */
async function atOnce(work: (n: number) => Promise<void>, count: number): Promise<void> {
  let next = 0;
  const some = async () => {
    for (let n = next++; n < count; n = next++) await work(n);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
}

/** Returns the bytes that the heap holds after garbage was collected. */
function heapInUse(): number {
  v8.setFlagsFromString('--expose-gc');
  (vm.runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

/** A request as bytes, with some of them changed, omitted or repeated. */
function brokenBytes({ method, path, headers, body = '' }: RandomRequest, at: number): Buffer {
  const random = randomOf(SEED + at);
  const lines = [
    `${method} ${path.slice(0, 3000)} HTTP/1.1`,
    'host: localhost',
    'connection: close',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  const text = [...lines, ...Object.entries(headers).map(([key, value]) => `${key}: ${value}`), '', body].join('\r\n');
  const bytes = Buffer.from(text);
  for (let left = Math.floor(random() * 6); left > 0; left--) {
    bytes[Math.floor(random() * Math.min(bytes.length, 400))] = pick(random, [
      0,
      10,
      13,
      32,
      58,
      127,
      255,
      Math.floor(random() * 256),
    ]);
  }
  return random() < 0.2 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
}

/** Returns the status of the response. Empty if the connection was closed without a response. */
function statusOf(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.end(bytes));
    const done = () => resolve(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? '');
    socket.setTimeout(2_000, () => socket.destroy());
    socket.on('data', (data) => (text = (text + String(data)).slice(0, 100)));
    socket.on('error', () => {});
    socket.on('close', done);
  });
}
