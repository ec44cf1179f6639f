import pg from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { uuidV7 } from '../../src/model/ids.ts';
import { repeat, setup, template, until } from '../support/setup.ts';

const version = (v: string, steps: Record<string, readonly string[]> = { a: [] }, more: Record<string, unknown> = {}) =>
  template(steps, { version: v, identity_strategy: 'caller_provided', ...more });
const LIMITS = { max_duration_minutes: 60, staleness_action: 'error' };
const NAMED = { namespace: 'test', name: 'demo' } as const;

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

describe('a request without a version', () => {
  it('means the highest registered version, also after lower versions were registered', async () => {
    const { tasker } = await setup({ worker: false, templates: [version('1.0.0')] });
    const made = async (idempotencyKey: string) => (await tasker.createTask({ ...NAMED, idempotencyKey })).version;
    expect(await made('a')).toBe('1.0.0');
    await tasker.registerTemplates(version('1.10.0'));
    expect(await made('b')).toBe('1.10.0');
    await tasker.registerTemplates(version('1.9.0'));
    expect(await made('c')).toBe('1.10.0');
    await tasker.registerTemplates(version('2.0.0-rc.1'));
    expect(await made('d')).toBe('2.0.0-rc.1');
    await tasker.registerTemplates(version('2.0.0'));
    expect(await made('e')).toBe('2.0.0');
    expect((await tasker.createTask({ ...NAMED, version: '1.0.0', idempotencyKey: 'f' })).version).toBe('1.0.0');
  });

  it('finds the task that the same request created before a deploy, under the older version', async () => {
    const { tasker, another } = await setup({ worker: false, templates: [version('1.0.0')] });
    const request = { ...NAMED, idempotencyKey: 'order 7' };
    const first = await tasker.createTask(request);
    const deployed = await another({ templates: [version('1.1.0', { a: [], b: ['a'] })] });
    for (const one of [deployed, tasker]) {
      expect(await one.createTask(request, { onDuplicate: 'return' })).toEqual({
        ...first,
        created: false,
        outcome: 'returned',
        rule: 'identity',
      });
      await expect(one.createTask(request)).rejects.toMatchObject({
        code: 'conflict',
        details: { task_uuid: first.taskUuid },
      });
    }
    expect(await tasker.listTasks(NAMED)).toHaveLength(1);
  });
});

describe('activating a version', () => {
  it('rolls back: new tasks use it, also after a higher version was registered, until the next activation', async () => {
    const { tasker, another } = await setup({ worker: false, templates: [version('1.0.0'), version('1.1.0')] });
    const made = async (from = tasker) => (await from.createTask({ ...NAMED, idempotencyKey: uuidV7() })).version;
    expect(await made()).toBe('1.1.0');
    expect(await tasker.activateTemplate('test/demo@1.0.0', { actor: 'ann', reason: 'charges twice' })).toEqual({
      ...NAMED,
      version: '1.0.0',
      previousVersion: '1.1.0',
      pinned: true,
      changed: true,
    });
    expect(await made()).toBe('1.0.0');
    const deployed = await another({ templates: [version('1.2.0')] });
    expect([await made(), await made(deployed)]).toEqual(['1.0.0', '1.0.0']);
    expect((await tasker.activateTemplate('test/demo@1.0.0')).changed).toBe(false);
    expect(await deployed.activateTemplate('test/demo@1.2.0')).toMatchObject({
      previousVersion: '1.0.0',
      pinned: true,
    });
    expect([await made(), await made(deployed)]).toEqual(['1.2.0', '1.2.0']);
    const { entries } = await tasker.audit({ action: 'activate' });
    expect(
      entries.map(({ target, fromState, toState, actor, reason }) => [target, fromState, toState, actor, reason]),
    ).toEqual([
      ['template test/demo@1.2.0', '1.0.0', '1.2.0', expect.any(String), null],
      ['template test/demo@1.0.0', '1.1.0', '1.0.0', 'ann', 'charges twice'],
    ]);
  });

  it('of latest makes the highest version active again, and later registrations replace it', async () => {
    const { tasker } = await setup({ worker: false, templates: [version('1.0.0'), version('1.1.0')] });
    const made = async () => (await tasker.createTask({ ...NAMED, idempotencyKey: uuidV7() })).version;
    await tasker.activateTemplate('demo@1.0.0');
    await tasker.registerTemplates(version('1.2.0'));
    expect(await made()).toBe('1.0.0');
    expect(await tasker.activateTemplate('test/demo@latest')).toMatchObject({ version: '1.2.0', pinned: false });
    expect(await made()).toBe('1.2.0');
    await tasker.registerTemplates(version('1.3.0'));
    expect(await made()).toBe('1.3.0');
    const listed = await tasker.engine.templates.list();
    expect(listed.map((row) => [row.version, row.active, row.pinned])).toEqual([
      ['1.0.0', false, false],
      ['1.1.0', false, false],
      ['1.2.0', false, false],
      ['1.3.0', true, false],
    ]);
  });

  it('is seen by the next creation of every process, also for tasks without an identity', async () => {
    const plain = (v: string) => version(v, { a: [] }, { identity_strategy: 'always_unique', lifecycle: LIMITS });
    const { tasker, another, sql } = await setup({ worker: false, templates: [plain('1.0.0'), plain('1.1.0')] });
    const other = await another({ templates: undefined });
    for (const v of ['1.0.0', '1.1.0', '1.0.0']) {
      expect((await other.createTask(NAMED)).name).toBe('demo');
      await tasker.activateTemplate(`test/demo@${v}`);
      const [one, two] = await other.createTasks([NAMED, { ...NAMED, delayMs: 3_600_000 }]);
      expect([one!.version, two!.version]).toEqual([v, v]);
      expect((await other.createTask({ ...NAMED, delayMs: 3_600_000 })).version).toBe(v);
      expect((await other.createTask(NAMED)).version).toBe(v);
    }
    const [row] = await sql('select count(*)::int n, count(distinct task_uuid)::int tasks from tasker.task');
    expect(row).toEqual({ n: 15, tasks: 15 });
  });

  it.each([
    ['demo', 'bad_request', 'pass the template with its version, as namespace/name@version'],
    ['test/demo@9.9.9', 'template_not_found', 'template test/demo@9.9.9 not found; there is test/demo@1.0.0'],
    ['test/demp@1.0.0', 'template_not_found', 'template test/demp@1.0.0 not found; there is test/demo@1.0.0'],
    ['nowhere/demo@latest', 'template_not_found', 'template nowhere/demo not found'],
    ['test/demo@', 'bad_request', 'pass the template with its version'],
    [7, 'bad_request', 'pass the template with its version'],
  ])('of %s is refused with %s', async (given, code, message) => {
    const { tasker } = await setup({ worker: false, templates: [version('1.0.0')] });
    const refused = tasker.activateTemplate(given as string);
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it('waits for a transaction that creates a task with an identity, and does not wait for one without', async () => {
    const { tasker, sql, url } = await setup({ worker: false, templates: [version('1.0.0'), version('1.1.0')] });
    await sql("insert into tasker.namespace (name) values ('unused')");
    const client = await connected(url);
    await client.query('begin');
    await tasker.createTask({ ...NAMED, idempotencyKey: 'held' }, { client });
    let done = false;
    const activation = tasker.activateTemplate('test/demo@1.0.0').then(() => (done = true));
    await until(
      () => sql("select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%active_version%'"),
      (rows) => rows.length > 0,
    );
    expect(done).toBe(false);
    const other = await tasker.createTask({ ...NAMED, idempotencyKey: 'meanwhile' });
    expect(other.version).toBe('1.1.0');
    await client.query('commit');
    await activation;
    const after = await tasker.createTask({ ...NAMED, idempotencyKey: 'held' }, { onDuplicate: 'return' });
    expect(after).toMatchObject({ version: '1.1.0', created: false, outcome: 'returned', rule: 'identity' });
  });
});

describe('one identity in several versions', () => {
  it('belongs to one task, when processes create and activate at the same time', async () => {
    const versions = ['1.0.0', '1.1.0', '2.0.0'];
    const { tasker, another } = await setup({ worker: false, templates: versions.map((v) => version(v)), poolSize: 6 });
    const others = [tasker, await another(), await another()];
    const activating = repeat(async () => {
      for (const v of versions) await others[1]!.activateTemplate(`test/demo@${v}`);
    });
    const used = new Set<string>();
    for (let round = 0; round < 25; round++) {
      const keys = Array.from({ length: 8 }, (_, i) => `${round} ${i}`);
      const created = await Promise.all(
        keys.flatMap((idempotencyKey) =>
          others.map((one) => one.createTask({ ...NAMED, idempotencyKey }, { onDuplicate: 'return' })),
        ),
      );
      for (const { version: v } of created) used.add(v);
      for (const [i] of keys.entries()) {
        const same = created.slice(i * others.length, (i + 1) * others.length);
        expect(new Set(same.map(({ taskUuid }) => taskUuid)).size).toBe(1);
        expect(new Set(same.map((handle) => handle.version)).size).toBe(1);
        expect(same.filter((handle) => handle.created)).toHaveLength(1);
      }
    }
    await activating.stop();
    expect([...used].sort()).toEqual(versions);
    expect(await tasker.listTasks({ ...NAMED, limit: 1_000 })).toHaveLength(200);
  });

  it('is checked for a registration that another process commits at the same time', async () => {
    const { tasker, another } = await setup({ worker: false, templates: [version('1.0.0')] });
    const other = await another({ templates: undefined });
    for (let patch = 1; patch <= 12; patch++) {
      const request = { ...NAMED, idempotencyKey: `key ${patch}` };
      const [before, , after] = await Promise.all([
        tasker.createTask(request, { onDuplicate: 'return' }),
        other.registerTemplates(version(`1.0.${patch}`)),
        other.createTask(request, { onDuplicate: 'return' }),
      ]);
      const last = await tasker.createTask(request, { onDuplicate: 'return' });
      expect(new Set([before, after, last].map(({ taskUuid }) => taskUuid)).size).toBe(1);
    }
  });

  it('of a request with a version is only compared with that version', async () => {
    const { tasker } = await setup({ worker: false, templates: [version('1.0.0'), version('1.1.0')] });
    const key = { ...NAMED, idempotencyKey: 'K' };
    const old = await tasker.createTask({ ...key, version: '1.0.0' });
    expect(await tasker.createTask(key, { onDuplicate: 'return' })).toMatchObject({
      ...old,
      created: false,
      outcome: 'returned',
      rule: 'identity',
    });
    const current = await tasker.createTask({ ...key, version: '1.1.0' });
    expect(current).toMatchObject({ created: true, version: '1.1.0' });
    // The task of the active version comes first.
    expect(await tasker.createTask(key, { onDuplicate: 'return' })).toMatchObject({
      ...current,
      created: false,
      outcome: 'returned',
      rule: 'identity',
    });
  });

  it('is one task in a list of requests with and without versions', async () => {
    const { tasker } = await setup({ worker: false, templates: [version('1.0.0'), version('1.1.0')] });
    const key = (idempotencyKey: string, v?: string) => ({ ...NAMED, idempotencyKey, ...(v && { version: v }) });
    const requests = [key('K', '1.0.0'), key('K'), key('L'), key('L'), key('M', '1.1.0'), key('M')];
    await expect(tasker.createTasks(requests)).rejects.toMatchObject({
      code: 'conflict',
      details: { index: 1, same_as: 0 },
    });
    const handles = await tasker.createTasks(requests, { onDuplicate: 'return' });
    expect(handles.map((handle) => [handle.version, handle.created])).toEqual([
      ['1.0.0', true],
      ['1.0.0', false],
      ['1.1.0', true],
      ['1.1.0', false],
      ['1.1.0', true],
      ['1.1.0', false],
    ]);
    expect(await tasker.listTasks(NAMED)).toHaveLength(3);
  });

  it('of a task that starts later is compared with all versions', async () => {
    const { tasker } = await setup({ worker: false, templates: [version('1.0.0')] });
    const request = { ...NAMED, idempotencyKey: 'later', delayMs: 3_600_000 };
    const first = await tasker.createTask(request);
    await tasker.registerTemplates(version('1.1.0'));
    expect(await tasker.createTask(request, { onDuplicate: 'return' })).toEqual({
      ...first,
      created: false,
      outcome: 'returned',
      rule: 'identity',
    });
    const { idempotencyKey } = request;
    expect(await tasker.createTask({ ...NAMED, idempotencyKey }, { onDuplicate: 'return' })).toMatchObject({
      taskUuid: first.taskUuid,
    });
  });

  it('of a strict template is its context, in every version', async () => {
    const strict = (v: string) => version(v, { a: [] }, { identity_strategy: 'strict' });
    const { tasker } = await setup({ worker: false, templates: [strict('1.0.0')] });
    const request = { ...NAMED, context: { b: 1, a: ['ünïcode', null] } };
    const first = await tasker.createTask(request);
    await tasker.registerTemplates(strict('1.1.0'));
    await expect(tasker.createTask(request)).rejects.toMatchObject({ details: { task_uuid: first.taskUuid } });
    expect((await tasker.createTask({ ...NAMED, context: {} })).version).toBe('1.1.0');
  });
});

it('a template becomes active when a program brings it, if its version is higher', async () => {
  const { tasker, another, sql } = await setup({ worker: false, templates: [version('1.0.0'), version('1.1.0')] });
  await sql("update tasker.active_version set version = '1.0.0'");
  await another();
  expect((await tasker.createTask({ ...NAMED, idempotencyKey: 'a' })).version).toBe('1.1.0');
});

describe('without a registered version, a request without a version', () => {
  it('is rejected with similar names', async () => {
    const { tasker } = await setup({ worker: false, templates: [version('1.0.0')] });
    for (const [namespace, name, near] of [
      ['test', 'dema', 'there is test/demo'],
      ['tset', 'demo', 'there is test/demo'],
      ['test', 'entirely-other', 'no registered template has a similar name'],
    ] as const) {
      await expect(tasker.createTask({ namespace, name })).rejects.toMatchObject({
        code: 'template_not_found',
        message: expect.stringContaining(`template ${namespace}/${name} not found; ${near}`),
      });
    }
  });

  it('is rejected after its namespace was deleted, and works after it was registered again', async () => {
    const { tasker, sql } = await setup({ worker: false, templates: [version('1.0.0'), version('1.1.0')] });
    await tasker.activateTemplate('test/demo@1.0.0');
    expect((await tasker.createTask({ ...NAMED, idempotencyKey: 'a' })).version).toBe('1.0.0');
    await tasker.cancelTask((await tasker.listTasks(NAMED))[0]!.taskUuid);
    await sql('truncate tasker.task, tasker.step, tasker.queue, tasker.task_identity');
    await sql("delete from tasker.template where namespace_id = (select id from tasker.namespace where name = 'test')");
    await sql("delete from tasker.namespace where name = 'test'");
    await expect(tasker.createTask({ ...NAMED, idempotencyKey: 'a' })).rejects.toMatchObject({
      code: 'template_not_found',
    });
    await tasker.registerTemplates(version('0.9.0'));
    expect((await tasker.createTask({ ...NAMED, idempotencyKey: 'a' })).version).toBe('0.9.0');
  });
});
