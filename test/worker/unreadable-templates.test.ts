import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { invariants, setup, template, until } from '../support/setup.ts';

const quick = defineHandler('quick', {}, () => ({}));
const step = { a: { handler: 'quick', retry: { max_attempts: 1 } } };
const newer = { namespace: 'test', name: 'newer', version: '1.0.0' };
const good = { namespace: 'test', name: 'good', version: '1.0.0' };

describe("a stored template that this program can't read", () => {
  it('does not delay other tasks, and the steps of its tasks are released without spending an attempt', async () => {
    const { tasker: client, sql, another } = await setup({ templates: [template(step, newer), template(step, good)] });
    const strange = await client.createTasks(Array.from({ length: 5 }, () => newer));
    // A newer program may have stored such a template.
    await sql(
      `update tasker.template set definition = jsonb_set(definition, '{steps,0,retry,backoff}', '"decorrelated"') where name = 'newer'`,
    );
    const first = await client.createTask(good);
    const { logger, lines } = collectingLogger();
    const options = { templates: [], namespaces: ['test'], handlers: [quick], logger };
    const worker = await another(options);
    expect((await client.waitForTask(first.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    const later = await client.createTask(good);
    expect((await client.waitForTask(later.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    await until(
      () => Promise.all(strange.map((task) => client.getTask(task.taskUuid))),
      (tasks) => tasks.every((task) => task.inProgressSteps === 0),
    );
    const warnings = lines.filter((line) => line.message.includes('stored template'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]!.message).toContain('upgrade this worker');
    expect(warnings[0]!.fields).toMatchObject({ error: expect.stringContaining('template test/newer@1.0.0') });

    // No handler is running, so the worker stops without waiting for the drain time.
    const start = performance.now();
    await worker.stop({ drainTimeoutMs: 20_000 });
    expect(performance.now() - start).toBeLessThan(10_000);
    expect(worker.stats).toMatchObject({ running: 0, unrecorded: 0 });
    // The steps were claimed once, and not again when later tasks were created.
    const claimed = `select distinct s.attempts, s.spared from tasker.step s join tasker.task t using (task_uuid)
      join tasker.template m on m.id = t.template_id where m.name = 'newer'`;
    expect(await sql(claimed)).toEqual([{ attempts: 1, spared: 1 }]);

    // Simulates that the worker was upgraded.
    await sql(
      `update tasker.template set definition = jsonb_set(definition, '{steps,0,retry,backoff}', '"none"') where name = 'newer'`,
    );
    await another(options);
    for (const { taskUuid } of strange) {
      expect((await client.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
      expect(
        (await sql('select attempts - spared spent from tasker.step where task_uuid = $1', [taskUuid]))[0],
      ).toEqual({
        spent: 1,
      });
    }
    await invariants(sql);
  });
});
