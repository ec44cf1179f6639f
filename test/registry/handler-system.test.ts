import { expect, it } from 'vitest';
import { HandlerSystem } from '../../src/app/handler-system.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';

it('a handler system is a registry with the places that it reads from', async () => {
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
  expect(system.debugInfo()).toMatchObject({ initialized: true, handlerCount: 1 });
  await expect(system.loadFromPath('./no/such/folder')).rejects.toMatchObject({ code: 'handler_not_found' });
  expect([system.unregister('greet'), system.handlerCount()]).toEqual([true, 0]);
});
