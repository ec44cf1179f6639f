import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import { revokeKey } from '../../../src/engine/credentials/api-keys.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { PERMISSIONS, type Permission, ROLE_PERMISSIONS, ROLES } from '../../../src/model/permissions.ts';
import { RouteRules } from '../../../src/rest/auth/route-rules.ts';
import { scopedParts } from '../../../src/rest/auth/scope.ts';
import { DEMO, template, until } from '../../support/setup.ts';
import { type App, ask, secured } from './secured.ts';

const on = secured([
  template({ hidden_step: [] }, { name: 'demo' }),
  template({ own_step: [] }, { name: 'own', namespace: 'other' }),
  template({ bill: { type: 'task', handler: undefined, template: 'other/own' } } as never, { name: 'family' }),
]);

/** A route, and what it requires. */
interface Route {
  method: string;
  path: string;
  permission: Permission | 'public' | 'authenticated' | undefined;
  /** The part of the path that belongs to a namespace. `own`: the route limits itself. `refused`: it does not. */
  limit: string;
}

let app: App;
let routes: Route[];
/** A credential for each column of the matrix, and values for the parameters of paths. */
const keys: Record<string, string> = {};
const values: Record<string, string> = {};

function routesOf(of: App): Route[] {
  const rules = new RouteRules(of);
  const all = of.routes.filter(({ method }) => method !== 'ALL');
  const unique = new Map(all.map(({ method, path }) => [`${method} ${path}`, { method, path }]));
  return [...unique.values()].map(({ method, path }) => {
    const { permission, scoped } = rules.ruleFor(method, path);
    const parts = scopedParts(path).map(({ thing }) => thing);
    const limit = permission === 'public' ? '' : parts.join('+') || (scoped ? 'own' : 'refused');
    return { method, path, permission, limit };
  });
}

beforeAll(async () => {
  app = on.app();
  routes = routesOf(app);
  for (const role of ROLES) keys[role] = await on.key({ name: role, roles: [role] });
  keys.elsewhere = await on.key({ name: 'elsewhere', roles: ['admin'], namespaces: ['other'] });
  keys.expired = await on.key({ name: 'expired', roles: ['admin'], expiresInMs: 1 });
  keys.revoked = await on.key({ name: 'revoked', roles: ['admin'] });
  await revokeKey(on.tasker.engine.database, 'revoked', {});
  keys.wrong = `${keys.admin!.slice(0, -2)}${keys.admin!.endsWith('xx') ? 'yy' : 'xx'}`;
  const { taskUuid } = await on.tasker.createTask({ ...DEMO, initiator: 'a', sourceSystem: 'b', reason: 'c' });
  const entry = await on.tasker.deadLetters.add(taskUuid, {});
  const ended = await on.tasker.createTask({ ...DEMO, initiator: 'a', sourceSystem: 'b', reason: 'c' });
  await on.tasker.cancelTask(ended.taskUuid, { actor: 'ann', reason: 'in test' });
  for (const name of ['hidden', 'hidden-2']) {
    await on.tasker.schedules.create({ name, template: 'test/demo@1.0.0', every: '24h' });
  }
  await on.tasker.engine.search.flush();
  Object.assign(values, { task: taskUuid, dead_letter: entry.dlqEntryUuid, schedule: 'hidden', namespace: 'test' });
});

/** Sends a request without a body to a route. `real`: with real ids in the path. */
async function send({ method, path }: Route, key: string | undefined, { real = false } = {}) {
  const things = new Map(scopedParts(path).map(({ thing, segment }) => [segment, thing]));
  const filled = path
    .split('/')
    .map((text, segment) => {
      if (!text.startsWith(':')) return text;
      const thing = things.get(segment);
      return (real && thing && values[thing]) || '019b0000-0000-7000-8000-000000000000';
    })
    .join('/');
  const answer = await app.request(`http://localhost${filled}`, {
    method,
    ...(key !== undefined && { headers: { 'x-api-key': key } }),
  });
  const { status, headers } = answer;
  // A stream would not end.
  const isStream = headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  const text = isStream ? '' : await answer.text();
  if (isStream) await answer.body?.cancel();
  return { status, reason: headers.get('x-auth-failure-reason'), text };
}

function allows(role: (typeof ROLES)[number], permission: Route['permission']): boolean {
  return permission === 'authenticated' || ROLE_PERMISSIONS[role].includes(permission as Permission);
}

it('every route has a row with its permission, its roles and its limit; `vitest -u` writes new rows', async () => {
  const rows = routes.map(({ method, path, permission, limit }) => {
    const roles = ROLES.filter((role) => allows(role, permission));
    return `${method} ${path} | ${permission ?? 'NONE'} | ${permission === 'public' ? 'everyone' : roles.join(' ')} | ${limit}`.trimEnd();
  });
  await expect(`${rows.sort().join('\n')}\n`).toMatchFileSnapshot('routes.txt');
  expect(routes.filter(({ permission }) => permission === undefined)).toEqual([]);
});

it('no handler is registered for all methods, because it would have no permission', () => {
  const all = app.routes.filter(({ method }) => method === 'ALL').map(({ path }) => path);
  expect([...new Set(all)].sort()).toEqual(['/*', '/v1/*']);
});

it('every role has only known permissions, and each role includes the previous role', () => {
  const [viewer, operator, admin] = ROLES.map((role) => new Set<string>(ROLE_PERMISSIONS[role]));
  expect([...viewer!].every((one) => operator!.has(one))).toBe(true);
  expect([...operator!].every((one) => admin!.has(one))).toBe(true);
  expect([...admin!].sort()).toEqual([...PERMISSIONS].sort());
  expect(
    [...viewer!].filter((one) => !/:(read|list|stats|handlers_read|analytics_read|templates_read)$/.test(one)),
  ).toEqual([]);
  expect(
    ['tasks:context_read', 'tasks:delete', 'templates:write', 'auth:manage'].filter((one) => operator!.has(one)),
  ).toEqual([]);
});

it('a route responds with 401 or 403 to the wrong credential, and with neither to the right one', async () => {
  const wrong: string[] = [];
  for (const route of routes) {
    const seen = await Promise.all(
      ['none', 'wrong', 'expired', 'revoked', ...ROLES].map(async (who) => {
        const { status, reason } = await send(route, who === 'none' ? undefined : keys[who]);
        return [who, reason === null ? 'in' : `${status} ${reason}`];
      }),
    );
    const isPublic = route.permission === 'public';
    const expected: Record<string, string> = {
      none: isPublic ? 'in' : '401 missing',
      wrong: isPublic ? 'in' : '401 invalid',
      expired: isPublic ? 'in' : '401 expired',
      revoked: isPublic ? 'in' : '401 invalid',
    };
    for (const role of ROLES) {
      const may = isPublic || allows(role, route.permission);
      expected[role] = may ? 'in' : '403 forbidden';
    }
    if (JSON.stringify(seen) !== JSON.stringify(Object.entries(expected))) {
      wrong.push(`${route.method} ${route.path}: ${JSON.stringify(seen)}, expected ${JSON.stringify(expected)}`);
    }
  }
  expect(wrong).toEqual([]);
});

it('a credential of another namespace gets 404 for existing items, and does not see them in lists', async () => {
  const wrong: string[] = [];
  const found = (text: string) => /hidden|"demo"|"test"|demo@/.test(text) || text.includes(values.task!);
  for (const route of routes.filter(({ permission }) => permission !== 'public')) {
    const { status, reason, text } = await send(route, keys.elsewhere, { real: true });
    const fits = {
      refused: status === 403 && reason === 'forbidden',
      own: status !== 401 && reason === null && !found(text),
    }[route.limit];
    if (!(fits ?? (status === 404 && reason === null))) wrong.push(`${route.method} ${route.path}: ${status} ${text}`);
  }
  expect(wrong).toEqual([]);
  // The same requests do find something with a credential for all namespaces.
  const read = routes.filter(
    ({ path, method }) => method === 'GET' && ['/v1/tasks/:uuid', '/v1/tasks', '/v1/dlq', '/v1/audit'].includes(path),
  );
  for (const route of read) expect((await send(route, keys.admin, { real: true })).text).toContain(values.task);
});

it('the web page needs no credential, and everything under /v1 does except for completions and logins', async () => {
  const open = routes.filter(({ path, permission }) => path.startsWith('/v1') && permission === 'public');
  expect(open.map(({ path }) => path).sort()).toEqual([
    '/v1/auth/oidc/callback',
    '/v1/auth/oidc/login',
    '/v1/auth/providers',
    '/v1/completions/complete',
    '/v1/completions/extend',
    '/v1/completions/fail',
  ]);
  for (const path of ['/', '/tasks', `/tasks/${values.task}`, '/templates/test/demo/1.0.0']) {
    const answer = await app.request(`http://localhost${path}`);
    expect([path, answer.status, answer.headers.get('content-type')]).toEqual([path, 200, 'text/html; charset=utf-8']);
    expect(await answer.text()).not.toContain('hidden_step');
  }
  for (const path of ['/v1', '/v1/', '/v1/nothing', '/v1/files/index.html', '/v1/icon.svg']) {
    expect([path, (await app.request(`http://localhost${path}`)).status]).toEqual([path, 401]);
  }
});

it('the not-found error names nothing of other namespaces, and is the same for items that exist there', async () => {
  const read = async (path: string, key = keys.elsewhere!) =>
    (await app.request(`http://localhost/v1/${path}`, { headers: { 'x-api-key': key } })).text();
  for (const path of [
    'templates/other/demo/1.0.0',
    'templates/other/demo/1.0.0/source',
    'queues?namespace=tes',
    'stats?namespace=other&name=demo',
    'events/dead?group=none',
    'workers/none',
  ]) {
    expect([path, await read(path)]).toEqual([path, expect.not.stringMatching(/test|hidden|"near"/)]);
  }
  expect(await read('templates/other/demo/1.0.0', keys.admin)).toContain('test/demo@1.0.0');
  const create = async (path: string, body: object) => {
    const headers = { 'x-api-key': keys.elsewhere!, 'content-type': 'application/json' };
    const request = { method: 'POST', headers, body: JSON.stringify(body) };
    const answer = await app.request(`http://localhost/v1/${path}`, request);
    return [answer.status, await answer.text()];
  };
  const task = { ...DEMO, namespace: 'other', context: {}, initiator: 'a', source_system: 'b', reason: 'c' };
  expect(await create('tasks', task)).toEqual([404, expect.not.stringMatching(/test|"near"/)]);
  const schedule = { name: 'hidden', template: 'other/demo@1.0.0', every: '24h', if_exists: 'update' };
  expect(await create('schedules', schedule)).toEqual([409, expect.not.stringContaining('test')]);
});

it('a page of schedules has only the schedules of the caller, and its cursor is the name of one of them', async () => {
  for (const name of ['a-mine', 'z-mine']) {
    await on.tasker.schedules.create({ name, template: 'other/any@1.0.0', every: '24h' });
  }
  const read = async (query: string) => {
    const headers = { 'x-api-key': keys.elsewhere! };
    const answer = await app.request(`http://localhost/v1/schedules?${query}`, { headers });
    const { schedules, next_cursor: next } = (await answer.json()) as {
      schedules: { name: string }[];
      next_cursor: unknown;
    };
    return [schedules.map(({ name }) => name), next];
  };
  expect(await read('limit=1')).toEqual([['a-mine'], 'a-mine']);
  expect(await read('limit=1&cursor=a-mine')).toEqual([['z-mine'], null]);
  expect(await read('limit=2')).toEqual([['a-mine', 'z-mine'], null]);
});

it('a credential counts only the steps of its namespaces', async () => {
  const read = async (key: string) => {
    const answer = await app.request('http://localhost/v1/analytics/bottlenecks', { headers: { 'x-api-key': key } });
    const { resource_utilization: use } = (await answer.json()) as {
      resource_utilization: { system_health: Record<string, number> };
    };
    return Object.values(use.system_health).reduce((sum, count) => sum + count, 0);
  };
  expect(await read(keys.elsewhere!)).toBe(0);
  expect(await read(keys.admin!)).toBeGreaterThan(0);
});

it('a credential sees and changes its own namespaces, and gets the same 404 for others as for unknown namespaces', async () => {
  const key = await on.key({ name: 'inside', roles: ['admin'], namespaces: ['test', 'other'] });
  const task = routes.find(({ method, path }) => method === 'GET' && path === '/v1/tasks/:uuid')!;
  expect((await send(task, key, { real: true })).status).toBe(200);
  const foreign = await send(task, keys.elsewhere, { real: true });
  const missing = await send(task, keys.elsewhere);
  expect(foreign.text.replace(values.task!, 'X')).toBe(
    missing.text.replace('019b0000-0000-7000-8000-000000000000', 'X'),
  );
  const create = async (of: string) => {
    const body = { ...DEMO, context: {}, initiator: 'a', source_system: 'b', reason: 'c' };
    const headers = { 'x-api-key': of, 'content-type': 'application/json' };
    const answer = await app.request('http://localhost/v1/tasks', {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return answer.status;
  };
  expect([await create(key), await create(keys.elsewhere!)]).toEqual([201, 404]);
});

it('unusual spellings of a path do not bypass the limit to namespaces', async () => {
  const task = values.task!;
  const odd = [
    `/v1/tasks/${task.toUpperCase()}`,
    `/v1/tasks/${encodeURIComponent(task).replace('-', '%2D')}`,
    `/v1//tasks/${task}`,
    `/v1/tasks/${task}/`,
    `/v1/x/../tasks/${task}`,
    `/v1/tasks/%00${task}`,
    `/v1/templates/t%65st/demo/1.0.0`,
    `/v1/templates/%E0%A4%A/demo/1.0.0`,
  ];
  for (const path of odd) {
    const answer = await app.request(`http://localhost${path}`, { headers: { 'x-api-key': keys.elsewhere! } });
    expect([path, [400, 404].includes(answer.status)]).toEqual([path, true]);
    expect(await answer.text()).not.toContain('hidden_step');
  }
});

it('an action is in the audit under the credential, and a name in the body is a remark', async () => {
  const { taskUuid } = await on.tasker.createTask({ ...DEMO, initiator: 'a', sourceSystem: 'b', reason: 'c' });
  const [step] = await on.tasker.getSteps(taskUuid);
  const headers = { 'x-api-key': keys.operator!, 'content-type': 'application/json' };
  const send = (method: string, path: string, body?: object) =>
    app.request(`http://localhost${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  const resolved = { action_type: 'resolve_manually', reason: 'done by phone', resolved_by: 'ana' };
  expect((await send('PATCH', `/v1/tasks/${taskUuid}/workflow_steps/${step!.stepUuid}`, resolved)).status).toBe(200);
  const task = await on.tasker.createTask({ ...DEMO, initiator: 'a', sourceSystem: 'b', reason: 'c' });
  expect((await send('DELETE', `/v1/tasks/${task.taskUuid}`)).status).toBe(200);
  const { entries } = await on.tasker.audit({ actor: 'key:operator' }, {});
  expect(entries.map(({ action, door, reason }) => [action, door, reason])).toEqual([
    ['cancel', 'rest', null],
    ['resolve', 'rest', 'done by phone (by ana)'],
  ]);
});

it('a credential for one namespace sees neither the child nor the parent of a task in another namespace', async () => {
  const worker = await createTasker({ databaseUrl: on.url, poolSize: 3, handlers: [], logger: silentLogger });
  onTestFinished(() => worker.stop({ drainTimeoutMs: 100 }));
  const { taskUuid } = await worker.createTask({ ...DEMO, name: 'family' });
  const [child] = await until(
    async () => (await worker.getChildTasks(taskUuid)).children,
    (children) => children.length > 0,
  );
  const here = await on.key({ name: 'here', roles: ['admin'], namespaces: ['test'] });
  const family = async (uuid: string, key: string) => {
    const { status, body } = await ask(app, `GET /v1/tasks/${uuid}/children`, { 'x-api-key': key });
    return [status, body];
  };
  const none = { parent: null, root_task_uuid: null, children: [], open_children: 0 };
  expect(await family(taskUuid, here)).toEqual([200, none]);
  expect(await family(child!.taskUuid, keys.elsewhere!)).toEqual([200, none]);
  expect(await family(child!.taskUuid, here)).toMatchObject([404, {}]);
  expect(await family(taskUuid, keys.admin!)).toMatchObject([200, { children: [{ namespace: 'other' }] }]);
});
