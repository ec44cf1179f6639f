import path from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { HandlerSystem } from '../../src/app/project/handler-system.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';

afterEach(() => vi.unstubAllEnvs());

it('a handler system registers handlers and resolvers like a registry', async () => {
  const system = new HandlerSystem();
  expect(system.initialized).toBe(false);
  await system.initialize();
  system.register(
    'greet',
    defineHandler('greet', {}, () => 'hello'),
  );
  await system.addResolver({ name: 'none', priority: 1, canResolve: () => false, resolve: () => null });

  expect([system.initialized, system.isRegistered('greet'), system.handlerCount()]).toEqual([true, true, 1]);
  expect((await system.resolve('greet'))?.name).toBe('greet');
  expect(await system.listResolvers()).toEqual([
    ['none', 1],
    ['explicit_mapping', 10],
    ['class_lookup', 100],
  ]);
  expect(system.getRegistry().listHandlers()).toEqual(system.listHandlers());
  expect(system.debugInfo()).toMatchObject({ component: 'HandlerSystem', initialized: true, handlerCount: 1 });
  await expect(system.loadFromPath('./no/such/folder')).rejects.toMatchObject({ code: 'handler_not_found' });
  expect([system.unregister('greet'), system.handlerCount()]).toEqual([true, 0]);
});

it('a handler system reads the folders named in the environment, or no folder', async () => {
  const loaded = async () => {
    const system = new HandlerSystem();
    return [await system.loadFromEnv(), ...system.listHandlers().map((name) => name.split('.')[0])];
  };
  // The paths are relative to the working directory, as on a command line.
  const [api, linear] = ['examples/api/handlers', 'examples/linear/handlers'] as const;

  vi.stubEnv('TASKER_HANDLER_PATH', undefined);
  vi.stubEnv('TYPESCRIPT_HANDLER_PATH', undefined);
  expect(await loaded()).toEqual([0]);
  vi.stubEnv('TYPESCRIPT_HANDLER_PATH', api);
  const [count, ...names] = await loaded();
  expect([count, new Set(names).size]).toEqual([names.length, 1]);
  vi.stubEnv('TASKER_HANDLER_PATH', linear);
  expect(await loaded()).not.toContain(names[0]);
  vi.stubEnv('TASKER_HANDLER_PATH', [api, linear].join(path.delimiter));
  expect((await loaded()).slice(1)).toEqual(expect.arrayContaining(names));
  vi.stubEnv('TASKER_HANDLER_PATH', 'examples/nowhere');
  await expect(loaded()).rejects.toMatchObject({ code: 'handler_not_found' });
});
