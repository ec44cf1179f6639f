import net from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createKey } from '../../src/engine/credentials/api-keys.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { newTokenSecret, tokenText } from '../../src/model/completion-token.ts';
import { uuidV7 } from '../../src/model/ids.ts';
import type { ArrivalLimits } from '../../src/rest/arriving-bodies.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { listen } from '../../src/server/listen.ts';
import { openSession } from '../support/database.ts';
import { asking } from '../support/rest/contract.ts';
import { DEMO, setup, template, until } from '../support/setup.ts';
import { SECURED } from './auth/secured.ts';

const MOST_REQUESTS = 20;
const REQUEST = { ...DEMO, context: {}, initiator: 'a', source_system: 'b', reason: 'c' };
/** Far beyond the time that the tests need, so that a stalled process fails none. */
const PATIENT: Partial<ArrivalLimits> = { deadlineMs: 60_000, graceMs: 60_000 };
const JSON_TYPE = 'content-type: application/json';

/** A server that requires a credential, with room for a few requests, and a key that may create and read tasks. */
async function server(bodies: Partial<ArrivalLimits> = PATIENT) {
  const made = await setup({ templates: [template({ first: [] })], worker: false, poolSize: 10 });
  const { tasker } = made;
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  const settings = { tasker, logger: silentLogger, facts, security: SECURED };
  const app = restApp({ ...settings, mostRequests: MOST_REQUESTS, bodies });
  const listening = await listen(app, { host: '127.0.0.1', port: 0 });
  onTestFinished(() => listening.close());
  const { key } = await createKey(tasker.engine.database, { name: 'shop', roles: ['operator'] }, { actor: 'tests' });
  const { port, url } = listening;
  return {
    ...made,
    key,
    ask: asking(app),
    /** A socket that has sent this text. */
    socket: (text: string) => new Client(port, text),
    head: (path: string, ...headers: string[]) =>
      [`POST ${path} HTTP/1.1`, 'host: 127.0.0.1', JSON_TYPE, ...headers, '', ''].join('\r\n'),
    fetch: (path: string, body?: unknown) =>
      fetch(`${url}${path}`, {
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      }),
  };
}

/** One connection, and everything that arrived on it. */
class Client {
  readonly socket: net.Socket;
  text = '';
  isClosed = false;

  constructor(port: number, text: string) {
    this.socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (bytes) => {
      this.text += bytes.toString('latin1');
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
    onTestFinished(() => void this.socket.destroy());
    this.socket.write(text);
  }

  get statuses(): number[] {
    return [...this.text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
  }

  write(text: string): void {
    this.socket.write(text);
  }

  /** Waits for this many responses. */
  answers(count = 1): Promise<number[]> {
    return until(
      () => this.statuses,
      (seen) => seen.length >= count,
    );
  }
}

/**
 * Sends a request until the server has time for it, because the process of the test may stall. The server may then close an
 * idle connection at the moment at which `fetch` uses it again.
 */
const statusOf = async (send: () => Promise<Response>) =>
  until(
    () => send().then(({ status }) => status, closedWhileIdle),
    (status) => status !== 503 && status !== 'closed',
    10_000,
  );

function closedWhileIdle(error: Error & { cause?: { code?: string } }): 'closed' {
  if (error.cause?.code === 'ECONNRESET') return 'closed';
  throw error;
}

const COMPLETE = '/v1/completions/complete';

it.each([MOST_REQUESTS, 300])(
  '%i sockets without a credential that hold back their bodies do not block other callers',
  async (count) => {
    const { socket, head, fetch } = await server();
    const idle = Array.from({ length: count }, () => socket(`${head(COMPLETE, 'content-length: 100')}{`));
    await Promise.all(idle.map(({ socket: one }) => until(() => one.readyState, (state) => state === 'open'))); // biome-ignore format: one line
    for (let i = 0; i < 5; i++) {
      expect(await statusOf(() => fetch('/v1/tasks'))).toBe(200);
      expect(await statusOf(() => fetch('/v1/tasks', REQUEST))).toBe(201);
    }
  },
);

it('connections with a credential that hold back their bodies do not block other callers either, with a length or chunked', async () => {
  const { socket, head, fetch, key } = await server();
  const own = [`x-api-key: ${key}`];
  for (let i = 0; i < MOST_REQUESTS; i++) {
    socket(`${head('/v1/tasks', ...own, 'content-length: 100')}{`);
    socket(`${head('/v1/tasks', ...own, 'transfer-encoding: chunked')}1\r\n{\r\n`);
    socket(head('/v1/tasks', ...own, 'content-length: 100'));
  }
  const last = socket(`${head('/v1/tasks', ...own, 'content-length: 2')}{`);
  expect(await statusOf(() => fetch('/v1/tasks', REQUEST))).toBe(201);
  last.write('}');
  expect(await last.answers()).toEqual([400]);
});

it('a request whose body stops arriving gets 408, and its connection is closed', async () => {
  const { socket, head, key } = await server({ deadlineMs: 60_000, graceMs: 100, bytesPerSecond: 1_000 });
  const stalled = [
    socket(`${head(COMPLETE, 'content-length: 100')}{`),
    socket(`${head('/v1/tasks', `x-api-key: ${key}`, 'transfer-encoding: chunked')}1\r\n{\r\n`),
    socket(head('/v1/tasks', `x-api-key: ${key}`, 'content-length: 100')),
  ];
  for (const one of stalled) {
    expect(await one.answers()).toEqual([408]);
    expect(one.text).toContain('the body arrives too slowly');
    await until(
      () => one.isClosed,
      (closed) => closed,
    );
  }
});

it('a request whose body arrives fast enough, but not before the deadline, gets 408', async () => {
  const { socket, head, key } = await server({ deadlineMs: 300, graceMs: 60_000 });
  const endless = socket(head('/v1/tasks', `x-api-key: ${key}`, 'transfer-encoding: chunked'));
  const sending = setInterval(() => endless.write('1\r\n \r\n'), 10);
  onTestFinished(() => clearInterval(sending));
  expect(await endless.answers()).toEqual([408]);
  expect(endless.text).toContain('the body did not arrive within 0.3 seconds');
});

it('a slow upload at the minimum rate is accepted, and its connection serves the next request', async () => {
  const { socket, head, key } = await server({ deadlineMs: 60_000, graceMs: 1_000, bytesPerSecond: 20 });
  const own = `x-api-key: ${key}`;
  const body = JSON.stringify({ ...REQUEST, context: { text: 'x'.repeat(300) } });
  const slow = socket(head('/v1/tasks', own, `content-length: ${body.length}`));
  let sent = 0;
  // Takes longer than the grace period.
  await new Promise<void>((resolve) => {
    const sending = setInterval(() => {
      slow.write(body.slice(sent, sent + 5));
      sent += 5;
      if (sent < body.length) return;
      clearInterval(sending);
      resolve();
    }, 20);
  });
  expect(await slow.answers()).toEqual([201]);
  const next = JSON.stringify(REQUEST);
  slow.write(`${head('/v1/tasks', own, `content-length: ${next.length}`)}${next}`);
  expect(await slow.answers(2)).toEqual([201, 201]);
  slow.write(head('/v1/tasks', own, 'transfer-encoding: chunked'));
  for (const part of [next.slice(0, 10), next.slice(10)]) slow.write(`${part.length.toString(16)}\r\n${part}\r\n`);
  slow.write('0\r\n\r\n');
  expect(await slow.answers(3)).toEqual([201, 201, 201]);
});

it('a client that waits for 100 Continue receives it, and its task is created', async () => {
  const { socket, head, key } = await server();
  const body = JSON.stringify(REQUEST);
  const own = [`x-api-key: ${key}`, `content-length: ${body.length}`, 'expect: 100-continue'];
  const waiting = socket(head('/v1/tasks', ...own));
  expect(await waiting.answers()).toEqual([100]);
  waiting.write(body);
  expect(await waiting.answers(2)).toEqual([100, 201]);
});

it('a large body that arrives in many parts is read completely', async () => {
  const { fetch, tasker } = await server();
  const text = Array.from({ length: 60 }, (_, i) => `${i} ${'é'.repeat(5_000)}`);
  const created = await fetch('/v1/tasks', { ...REQUEST, context: { text } });
  expect(created.status).toBe(201);
  const { task_uuid: id } = (await created.json()) as { task_uuid: string };
  expect((await tasker.getTask(id)).context).toEqual({ text });
});

it('a chunked body that grows too large gets 413 before it ends', async () => {
  const { socket, head, key } = await server();
  const large = socket(head('/v1/tasks', `x-api-key: ${key}`, 'transfer-encoding: chunked'));
  const part = ' '.repeat(65_536);
  for (let i = 0; i < 65; i++) large.write(`${part.length.toString(16)}\r\n${part}\r\n`);
  expect(await large.answers()).toEqual([413]);
});

it('a request without a credential is rejected before its body has arrived', async () => {
  const { socket, head } = await server();
  expect(await socket(`${head('/v1/tasks', 'content-length: 100')}{`).answers()).toEqual([401]);
  expect(await socket(`${head('/v1/tasks', 'x-api-key: wrong', 'content-length: 100')}{`).answers()).toEqual([401]);
});

it('a client that disconnects in the middle of its body releases its memory', async () => {
  const { socket, head, fetch } = await server({ ...PATIENT, mostBytes: 1_000 });
  const held = Array.from({ length: 10 }, () => socket(`${head(COMPLETE, 'content-length: 1000')}${' '.repeat(90)}`));
  // The bodies of callers without a credential may use a quarter, so some of these were refused.
  await until(
    () => held.filter(({ statuses }) => statuses[0] === 503).length,
    (refused) => refused > 0 && refused < 10,
  );
  expect(await statusOf(() => fetch('/v1/tasks', REQUEST))).toBe(201);
  for (const one of held) one.socket.destroy();
  const next = await until(
    async () => {
      const again = socket(`${head(COMPLETE, 'content-length: 92')}${' '.repeat(90)}`);
      await until(() => again.socket.bytesWritten, (bytes) => bytes > 90); // biome-ignore format: one line
      again.write('{}');
      return (await again.answers())[0];
    },
    (status) => status !== 503,
  );
  expect(next).toBe(400);
});

it('requests without a credential use at most a quarter of the requests in progress', async () => {
  const { url, socket, head, fetch, ask } = await server();
  expect(await statusOf(() => fetch('/v1/me'))).toBe(200);
  const blocker = await openSession(url);
  try {
    await blocker.query('begin');
    await blocker.query('lock table tasker.completion_token in access exclusive mode');
    const body = JSON.stringify({
      token: tokenText({ taskUuid: uuidV7(), idx: 0, attempt: 1 }, newTokenSecret()),
      result: {},
    });
    const strangers = Array.from({ length: 2 * MOST_REQUESTS }, () =>
      socket(`${head(COMPLETE, `content-length: ${body.length}`)}${body}`),
    );
    await until(
      () => strangers.filter(({ statuses }) => statuses[0] === 503).length,
      (refused) => refused === 2 * MOST_REQUESTS - MOST_REQUESTS / 4,
    );
    expect((await ask('POST', COMPLETE, JSON.parse(body))).status).toBe(503);
    expect(await statusOf(() => fetch('/v1/me'))).toBe(200);
  } finally {
    await blocker.query('rollback');
    await blocker.end();
  }
});

it('a request without a body may have the content type of JSON', async () => {
  const { socket, key, tasker } = await server();
  const { taskUuid } = await tasker.createTask(DEMO);
  // As Python and Node send it: with neither a length nor an encoding.
  const head = [`DELETE /v1/tasks/${taskUuid} HTTP/1.1`, 'host: 127.0.0.1', JSON_TYPE, `x-api-key: ${key}`, '', ''];
  expect(await socket(head.join('\r\n')).answers()).toEqual([200]);
});
