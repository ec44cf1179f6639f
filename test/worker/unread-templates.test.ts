import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { DEMO, setup, template, until } from '../support/setup.ts';

it('a worker that cannot read the template of a step warns once, and runs the step when it can', async () => {
  const { logger, lines } = collectingLogger();
  const demo = template({ a: [] });
  const { tasker, sql, another } = await setup({ templates: demo, worker: false });
  const handlers = [defineHandler('a', {}, () => ({}))];
  await another({ templates: [], namespaces: ['test'], worker: true, handlers, logger });
  /**
   * Creates a task while no process can read templates. This process knows the template, which it has just registered,
   * unless the machine is very slow.
   */
  const createUnread = async (): Promise<string> => {
    await tasker.engine.templates.register(demo, { arrival: 'program' });
    await sql('alter table tasker.namespace rename to hidden');
    try {
      return (await tasker.createTask(DEMO)).taskUuid;
    } catch (error) {
      expect(error).toMatchObject({ code: '42P01' });
      await sql('alter table tasker.hidden rename to namespace');
      return createUnread();
    }
  };
  const taskUuid = await createUnread();
  const warnings = () => lines.filter(({ message }) => message.startsWith('templates of claimed steps not read'));
  await until(warnings, ({ length }) => length > 0);
  // Leaves time for more attempts to read the template.
  await new Promise((resolve) => setTimeout(resolve, 400));
  await sql('alter table tasker.hidden rename to namespace');
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  expect(warnings()).toMatchObject([{ level: 'warn', fields: { error: expect.stringContaining('namespace') } }]);
});
