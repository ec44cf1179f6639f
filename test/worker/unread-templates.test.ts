import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { DEMO, setup, template, until } from '../support/setup.ts';

it('a worker that cannot read the template of a step warns once, and runs the step when it can', async () => {
  const { logger, lines } = collectingLogger();
  const { tasker, sql, another } = await setup({ templates: template({ a: [] }), worker: false });
  const handlers = [defineHandler('a', {}, () => ({}))];
  await another({ templates: [], namespaces: ['test'], worker: true, handlers, logger });
  await sql('alter table tasker.namespace rename to hidden');
  const { taskUuid } = await tasker.createTask(DEMO);
  const warnings = () => lines.filter(({ message }) => message.startsWith('templates of claimed steps not read'));
  await until(warnings, ({ length }) => length > 0);
  // Leaves time for more attempts to read the template.
  await new Promise((resolve) => setTimeout(resolve, 400));
  await sql('alter table tasker.hidden rename to namespace');
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  expect(warnings()).toMatchObject([{ level: 'warn', fields: { error: expect.stringContaining('namespace') } }]);
});
