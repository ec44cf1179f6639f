import { expect, onTestFinished } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { Engine } from '../../src/engine/engine.ts';
import { KeptSnapshots, MAX_KEPT } from '../../src/engine/template-store.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { heapMb } from '../support/heap.ts';
import { DEMO, itOnce, setup, template } from '../support/setup.ts';

const MORE_THAN_KEPT = 1_020;
/** Stores further versions of a template. Registering a thousand versions takes ten seconds of processor time. */
const COPY = `
  with copy as (
    insert into tasker.template (namespace_id, name, version, digest, identity_strategy, initial_count, root_count, definition)
    select namespace_id, name, '1.0.' || n, digest, identity_strategy, initial_count, root_count,
           definition || jsonb_build_object('version', '1.0.' || n)
      from tasker.template, generate_series(2, $2) n where id = $1
    returning id)
  insert into tasker.template_step
  select copy.id, idx, name, callable, parents, initial, max_attempts, retryable
    from copy, tasker.template_step where template_id = $1`;

itOnce(
  'an unused template is evicted when a thousand newer templates are cached, and is loaded again when needed',
  async () => {
    const { tasker, url, sql, another } = await setup({ worker: false });
    const database = await Database.connect({ url, poolSize: 3, logger: silentLogger });
    onTestFinished(() => database.close());
    const { templates } = new Engine(database, silentLogger);
    const register = async (patch: number) => {
      const { id } = await templates.register(template({ a: [] }, { version: `1.0.${patch}` }), { arrival: 'program' });
      return id;
    };
    await register(0);
    const used = await templates.newest(DEMO.namespace, DEMO.name, '1.0.0');
    const second = await register(1);
    const lastCopy = MORE_THAN_KEPT - 11;
    await sql(COPY, [second, lastCopy]);
    for (let patch = 2; patch <= lastCopy; patch++) await templates.newest(DEMO.namespace, DEMO.name, `1.0.${patch}`);
    for (let patch = lastCopy + 1; patch < MORE_THAN_KEPT; patch++) await register(patch);
    await heapMb();
    expect(templates.has(used.id)).toBe(true);
    expect(templates.has(second)).toBe(false);
    expect(templates.kept).toMatchObject({ cached: 1_000, evictions: MORE_THAN_KEPT - 1_000 });

    expect((await templates.byIds([second, used.id])).get(second)?.template.version).toBe('1.0.1');
    expect(await templates.load([second])).toEqual(new Map());
    expect(templates.get(second).template.version).toBe('1.0.1');
    expect(templates.get(used.id)).toBe(used);

    // A worker runs a task of each template.
    await another({ worker: true, handlers: [defineHandler('a', {}, () => ({}))], namespaces: [DEMO.namespace] });
    const versions = Array.from({ length: MORE_THAN_KEPT }, (_, patch) => ({ ...DEMO, version: `1.0.${patch}` }));
    const tasks = await tasker.createTasks(versions);
    const ends = await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 60_000 })));
    expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(['complete']));
  },
);

itOnce('memory stays flat while more templates are in use than the cache holds', async () => {
  const kept = new KeptSnapshots<{ id: number }>();
  const used = Array.from({ length: MAX_KEPT + 1 }, (_, id) => ({ id }));
  for (const one of used) kept.put(one);
  const areKept = () => used.every((one) => kept.get(one.id) === one);
  expect(areKept()).toBe(true);
  const before = await heapMb();
  for (let round = 0; round < 300; round++) {
    areKept();
    // The target of a dereferenced WeakRef lives until the end of the turn.
    await new Promise(setImmediate);
  }
  expect((await heapMb()) - before).toBeLessThan(8);
  expect(areKept()).toBe(true);
});
