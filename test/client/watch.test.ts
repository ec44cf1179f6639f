import { describe, expect, it } from 'vitest';
import { NotFoundError, RequestTimeoutError } from '../../src/client/index.ts';
import { json, type Received, refusal, scripted } from './served.ts';

const UUID = '019b0000-0000-7000-8000-000000000000';
const task = (status: string, more: object = {}) => ({ task_uuid: UUID, status, ...more });
const pending = task('pending');
const running = task('steps_in_process');
const complete = task('complete');

type Answer = Parameters<typeof scripted>[0][number];

/** A server with a script for reads of the task, and one for its stream. */
async function tracked(reads: readonly Answer[], streams: readonly Answer[]) {
  const seen = { reads: [] as Received[], streams: [] as Received[] };
  const { client } = await scripted([
    (response, request) => {
      const [script, list] = request.url.includes('/stream') ? [streams, seen.streams] : [reads, seen.reads];
      list.push(request);
      script[Math.min(list.length, script.length) - 1]!(response, request);
    },
  ]);
  return { client, ...seen };
}

/** Responds with these blocks. `end`: closes the connection afterwards. */
function stream(blocks: readonly string[], { end = false } = {}): Answer {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const block of blocks) response.write(block);
    if (end) response.end();
  };
}

const OPEN = 'retry: 1\nevent: open\nid: 7-a\ndata: {"revision":7,"resumed":false}\n\n';
const block = (event: string, data: object) => `event: ${event}\r\ndata: ${JSON.stringify(data)}\r\n\r\n`;
const noRoute = refusal(404, 'NOT_FOUND');

describe('watching a task', () => {
  it('reads the task again only when the stream reports a change', async () => {
    const first = OPEN + block('task', running);
    const halves = [': heartbeat\n\n', first.slice(0, 40), first.slice(40)];
    const { client, reads, streams } = await tracked([json(pending), json(complete)], [stream(halves)]);
    const seen: string[] = [];
    for await (const { status } of client.tasks.watch(UUID, { timeoutMs: 20_000 })) seen.push(status);
    expect(seen).toEqual(['pending', 'complete']);
    expect(reads).toHaveLength(2);
    expect(streams.map(({ headers }) => [headers.accept, headers['last-event-id']])).toEqual([
      ['text/event-stream', undefined],
    ]);
  });

  it('reconnects with the last id after the end of a stream', async () => {
    const closing = stream([OPEN, 'id: 8-b\nevent: closing\ndata: {"reason":"renew"}\n\n'], { end: true });
    let opened = 0;
    const counted =
      (answer: Answer): Answer =>
      (response, request) => {
        opened++;
        answer(response, request);
      };
    const current: Answer = (response, request) => json(opened < 3 ? pending : complete)(response, request);
    const last = stream([OPEN, block('task', complete)]);
    const { client, streams } = await tracked([current], [closing, closing, last].map(counted));
    expect(await client.tasks.wait(UUID, { timeoutMs: 20_000 })).toEqual(complete);
    expect(streams.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '8-b', '8-b']);
  });

  it('polls with the ETag of the last response if the server has no streams', async () => {
    const same: Answer = (response) => response.writeHead(304).end();
    const { client, reads, streams } = await tracked(
      [json(pending, 200, { etag: '"1"' }), same, json(complete, 200, { etag: '"2"' })],
      [noRoute],
    );
    expect(await client.tasks.wait(UUID, { timeoutMs: 20_000 })).toEqual(complete);
    expect(reads.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"1"', '"1"']);
    expect(streams).toHaveLength(1);
  });

  it('polls if the stream is a page of another program, or the credential may not read it', async () => {
    for (const answer of [json({}), refusal(403, 'FORBIDDEN')]) {
      const { client, streams } = await tracked([json(pending), json(pending), json(complete)], [answer]);
      expect((await client.tasks.wait(UUID, { timeoutMs: 20_000 })).status).toBe('complete');
      expect(streams).toHaveLength(1);
    }
  });

  it('does not read the task after changes that do not end it', async () => {
    const { client, reads } = await tracked(
      [json(pending), json(complete)],
      [
        stream([
          OPEN,
          block('task', running),
          block('step', {}),
          block('position', {}),
          block('new kind', {}),
          block('task', complete),
        ]),
      ],
    );
    expect(await client.tasks.wait(UUID, { timeoutMs: 20_000 })).toEqual(complete);
    expect(reads).toHaveLength(2);
  });

  it('returns a task that waits, if the call asks for it', async () => {
    const waits = task('waiting');
    const reports = stream([OPEN, block('task', running), block('task', waits)]);
    const { client, reads } = await tracked([json(pending), json(waits)], [reports]);
    expect(await client.tasks.wait(UUID, { until: 'waiting', timeoutMs: 20_000 })).toEqual(waits);
    expect(reads).toHaveLength(2);
    const later = task('pending', { starts_at: '2999-01-01T00:00:00.000Z' });
    for (const found of [waits, later, complete, task('blocked_by_failures')]) {
      const { client: polling } = await tracked([json(found)], [noRoute]);
      expect(await polling.tasks.wait(UUID, { until: 'waiting', timeoutMs: 20_000 })).toEqual(found);
    }
  });

  it('keeps waiting for the end of a task that waits, unless the call asks for it', async () => {
    const { client } = await tracked([json(task('waiting')), json(complete)], [noRoute]);
    expect(await client.tasks.wait(UUID, { timeoutMs: 20_000 })).toEqual(complete);
  });

  it('names its aim and the last state in the error of a timeout, and rejects another value of `until`', async () => {
    const { client } = await tracked([json(running)], [noRoute]);
    await expect(client.tasks.wait(UUID, { until: 'waiting', timeoutMs: 100 })).rejects.toThrow(
      `task ${UUID} did not end or begin to wait within 0.1 seconds: it is in steps_in_process`,
    );
    await expect(client.tasks.wait(UUID, { until: 'wating' as 'waiting' })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: 'until: "wating" must be ended or waiting',
    });
  });

  it('survives a server outage, and gives up after the outage limit', async () => {
    const down = refusal(503, 'SERVICE_UNAVAILABLE', { headers: { 'retry-after': '0' } });
    const { client } = await tracked([json(pending), ...Array<Answer>(4).fill(down), json(complete)], [noRoute]);
    expect((await client.tasks.wait(UUID, { timeoutMs: 20_000 })).status).toBe('complete');
    const gone = await tracked([down], [noRoute]);
    await expect(gone.client.tasks.wait(UUID, { outageMs: 0 })).rejects.toMatchObject({ status: 503 });
  });

  it('throws the error of the server, even if the task is deleted in the meantime', async () => {
    const { client } = await tracked([noRoute], [noRoute]);
    await expect(client.tasks.wait(UUID)).rejects.toBeInstanceOf(NotFoundError);
    const deleted = await tracked([json(pending), noRoute], [stream([OPEN, block('deleted', { task_uuids: [UUID] })])]);
    await expect(deleted.client.tasks.wait(UUID, { timeoutMs: 20_000 })).rejects.toBeInstanceOf(NotFoundError);
  });

  it('closes its stream when the loop ends, and at its timeout', async () => {
    const closed: string[] = [];
    const open: Answer = (response) => {
      stream([OPEN, block('task', running)])(response, undefined as never);
      response.once('close', () => closed.push('stream'));
    };
    const { client } = await tracked([json(pending), json(running)], [open]);
    for await (const { status } of client.tasks.watch(UUID)) if (status !== 'pending') break;
    await expect.poll(() => closed).toEqual(['stream']);
    await expect(client.tasks.wait(UUID, { timeoutMs: 200 })).rejects.toBeInstanceOf(RequestTimeoutError);
    await expect.poll(() => closed.length).toBe(2);
    await expect(client.tasks.wait(UUID, { timeoutMs: -1 })).rejects.toThrow('timeoutMs: -1');
  });
});
