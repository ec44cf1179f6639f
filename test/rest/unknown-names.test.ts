import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { servedApi } from '../support/rest/served-api.ts';

let api: Awaited<ReturnType<typeof servedApi>>;
const TASK = '01a2213f-40bd-724e-8e90-6411b01f29a5';
const refusal = async (method: string, path: string, body?: unknown) => {
  const { status, body: answer } = await api.ask<{ error?: { message: string; details?: { problems?: unknown } } }>(
    method,
    path,
    body,
  );
  return { status, message: answer.error?.message, problems: answer.error?.details?.problems };
};

beforeAll(async () => {
  api = await servedApi();
});
afterAll(() => api.stop());

it('an error names a parameter or a field as the caller sent it', async () => {
  expect((await refusal('GET', '/v1/tasks?created_after=yesterdy')).message).toMatch(/^created_after\b/);
  expect((await refusal('GET', '/v1/steps?ended_before=createdAfter')).message).toMatch(/^ended_before: createdAfter /);
  const schedule = { name: 'x', template: 'test/demo', every: '1h', catch_up: 'often' };
  expect((await refusal('POST', '/v1/schedules', schedule)).message).not.toMatch(/catchUp/);
});

describe('a name that a route does not know', () => {
  it('is refused in a query, with the names that resemble it', async () => {
    expect(await refusal('GET', '/v1/audit?acter=ann')).toMatchObject({
      status: 400,
      message: 'unknown query parameter acter; did you mean actor or after?',
    });
    expect(await refusal('GET', '/v1/tasks?stat=error')).toMatchObject({ status: 400 });
    expect((await refusal('GET', '/v1/steps?namspace=x')).message).toBe(
      'unknown query parameter namspace; did you mean namespace?',
    );
  });

  it('is refused with the names of the route if none resembles it', async () => {
    expect((await refusal('GET', '/v1/queues?colour=red')).message).toBe(
      'unknown query parameter colour; the query parameters are namespace',
    );
    expect((await refusal('GET', '/v1/me?colour=red')).message).toBe(
      'unknown query parameter colour; this route has none',
    );
  });

  it('is refused in a body, with the names that resemble it', async () => {
    const { message, problems } = await refusal('POST', `/v1/tasks/${TASK}/reschedule`, { in: '2h', reson: 'late' });
    expect(message).toBe('unknown field reson; did you mean reason?');
    expect(problems).toEqual([{ path: '', message }]);
  });

  it('is ignored by the routes of the described system, unless it resembles a known name', async () => {
    const task = {
      name: 'demo',
      namespace: 'none',
      version: '1.0.0',
      context: {},
      initiator: 'a',
      source_system: 'b',
      reason: 'c',
    };
    expect(await refusal('GET', '/v1/tasks?colour=red')).toMatchObject({ status: 200 });
    expect(await refusal('POST', '/v1/tasks', { ...task, requested_at: null, options: {}, flavour: 1 })).toMatchObject({
      status: 404,
    });
    expect(await refusal('POST', '/v1/tasks', { ...task, start_att: '2030-01-01T00:00Z' })).toMatchObject({
      status: 400,
      message: 'unknown field start_att; did you mean start_at or start_in?',
    });
    expect(await refusal('PATCH', `/v1/dlq/entry/${TASK}`, { resolution_note: 'x' })).toMatchObject({ status: 400 });
  });
});

describe('an invalid request', () => {
  it('is described in words, with the place of each problem', async () => {
    expect(
      await refusal('POST', '/v1/tasks', { namespace: 7, context: {}, initiator: 'a', source_system: 'b' }),
    ).toEqual({
      status: 400,
      message: 'name is missing (and 2 more)',
      problems: [
        { path: 'name', message: 'is missing' },
        { path: 'namespace', message: 'must be a string, not a number' },
        { path: 'reason', message: 'is missing' },
      ],
    });
    expect((await refusal('GET', '/v1/audit?limit=0')).message).toBe('limit: must be at least 1');
    expect((await refusal('GET', '/v1/audit?limit=many')).message).toBe('limit: must be a number');
    expect((await refusal('GET', '/v1/dlq/entries?sort=size')).message).toBe('sort: must be one of priority, added');
    expect((await refusal('POST', '/v1/schedules', { name: '', template: 'a/b' })).message).toMatch(
      /^name: must have at least 1 character/,
    );
  });

  it('to a path with other methods gets 405, with the methods', async () => {
    const { status, headers, body } = await api.ask('POST', '/v1/status', {});
    expect([status, headers.get('allow')]).toEqual([405, 'GET']);
    expect(body).toEqual({
      error: { code: 'METHOD_NOT_ALLOWED', message: '/v1/status has no method POST; use GET' },
    });
    const task = await api.ask('PUT', `/v1/tasks/${TASK}`, {});
    expect([task.status, task.headers.get('allow')]).toEqual([405, 'DELETE, GET']);
  });
});

it('an unexpected error gets 500 without its text', async () => {
  vi.spyOn(api.tasker.engine, 'listNamespaces').mockRejectedValueOnce(new Error('password=hunter2'));
  const { status, body } = await api.ask('GET', '/v1/namespaces');
  expect(status).toBe(500);
  expect(body).toEqual({
    error: { code: 'INTERNAL_ERROR', message: 'internal error; see the log of the process' },
  });
});
