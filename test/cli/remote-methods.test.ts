import { expect, it } from 'vitest';
import { remoteTasker } from '../../src/cli/remote/remote-tasker.ts';

interface Request {
  method: string;
  path: string;
  body: unknown;
}

/** A tasker over a server that gives one response, and the requests that it sends. */
function serverThatGives(json: unknown) {
  const requests: Request[] = [];
  const send = globalThis.fetch;
  return {
    requests,
    use: async <T>(call: (tasker: ReturnType<typeof remoteTasker>) => Promise<T>): Promise<T> => {
      globalThis.fetch = async (url, { method = 'GET', body } = {}) => {
        const { pathname, search } = new URL(String(url));
        requests.push({ method, path: pathname + search, body: body == null ? undefined : JSON.parse(String(body)) });
        return Response.json(json);
      };
      try {
        return await call(remoteTasker({ url: 'http://localhost', by: '--server' }));
      } finally {
        globalThis.fetch = send;
      }
    },
  };
}

const USERS = { counts: { a_b: 1 }, task_uuid: 'x', createdAt: 'y' };

it('a method with the name of a verb sends its arguments, and returns the response in the form of the library', async () => {
  const server = serverThatGives({ task_uuid: 't', form: USERS, votes: [{ by: 'ann', form: USERS }], of_later: USERS });
  const vote = { decision: 'approve', by: 'ann', form: USERS } as const;
  expect(await server.use((tasker) => tasker.approvals.vote('t', 'agree', vote))).toEqual({
    taskUuid: 't',
    form: USERS,
    votes: [{ by: 'ann', form: USERS }],
  });
  expect(server.requests).toEqual([{ method: 'POST', path: '/v1/approvals/t/agree/vote', body: vote }]);
});

it('the actor of an action is sent as its operator, and as a condition of the audit', async () => {
  const server = serverThatGives({ task_uuid: 't', steps: ['pay'], entries: [] });
  expect(await server.use((tasker) => tasker.retryTask('t', { actor: 'ann', reason: 'r' }))).toEqual(['pay']);
  await server.use((tasker) => tasker.audit({ actor: 'ann', after: new Date(0) }, { limit: 2 }));
  expect(server.requests).toEqual([
    { method: 'POST', path: '/v1/tasks/t/retry', body: { by: 'ann', reason: 'r' } },
    { method: 'GET', path: '/v1/audit?actor=ann&after=1970-01-01T00%3A00%3A00.000Z&limit=2', body: undefined },
  ]);
});

it('several changes of a dead letter are one request, and a remark is another', async () => {
  const server = serverThatGives({ success: true, changed: 1 });
  const change = { status: 'manually_resolved', resolutionNotes: 'refunded', assignee: null, priority: 3 } as const;
  const act = { actor: 'ann', reason: 'r' };
  expect(await server.use((tasker) => tasker.deadLetters.update(['a', 'b'], change, act))).toBe(2);
  expect(await server.use((tasker) => tasker.deadLetters.update('c', { note: 'asked' }, act))).toBe(1);
  const { status: resolution_status, resolutionNotes: resolution_notes, ...others } = change;
  const body = { resolution_status, resolution_notes, ...others, resolved_by: 'ann', reason: 'r' };
  expect(server.requests).toEqual([
    { method: 'PATCH', path: '/v1/dlq/entry/a', body },
    { method: 'PATCH', path: '/v1/dlq/entry/b', body },
    { method: 'POST', path: '/v1/dlq/entry/c/note', body: { note: 'asked', by: 'ann', reason: 'r' } },
  ]);
});

it('a method that no verb offers, or whose arguments differ, is refused', async () => {
  const { use } = serverThatGives({});
  const refused = /this command works on a database, not over the server that --server names/;
  await expect(use(async (tasker) => tasker.prune({ olderThan: '1d' }))).rejects.toThrow(refused);
  await expect(use(async (tasker) => tasker.deadLetters.note('id', 'text'))).rejects.toThrow(refused);
});
