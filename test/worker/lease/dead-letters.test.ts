import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { StepHandlerResult } from '../../../src/handlers/step-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { thresholdsOf } from '../../../src/worker/lease/dead-letter-looks.ts';
import { collectingLogger } from '../../handlers/collecting-logger.ts';
import { firstLook } from '../../support/dead-letters.ts';
import { age, checkForStale } from '../../support/lifecycle.ts';
import { DEMO, setup, template, until } from '../../support/setup.ts';

it('a worker checks for dead letters when it starts, and logs its findings', async () => {
  const broken = defineHandler('broken', {}, () => StepHandlerResult.failure('no', { retryable: false }));
  const templates = [template({ broken: [] }, { lifecycle: { on_blocked: 'dlq' } })];
  const { tasker, another, sql } = await setup({ templates, handlers: [broken], logger: silentLogger });
  await firstLook(sql);
  const { taskUuid } = await tasker.createTask(DEMO);
  await until(
    () => tasker.getTask(taskUuid),
    ({ status }) => status === 'blocked_by_failures',
  );
  await tasker.engine.search.flush();
  // Otherwise this worker may look again before the other one starts.
  await tasker.stop();
  await sql(`update tasker.dead_letter_look set looked_at = '-infinity'`);
  const { logger, lines } = collectingLogger();
  await another({ logger });
  const logged = () => lines.filter(({ message }) => message.includes('dead letters'));
  await until(logged, (seen) => seen.length > 0);
  expect(logged()).toEqual([
    {
      level: 'warn',
      message: 'tasks added to the dead letters; an operator must act',
      fields: {
        count: 1,
        task_uuids: [taskUuid],
        reason: 'max_retries_exceeded',
        cause: expect.stringContaining('broken: '),
      },
    },
  ]);
});

it('a worker logs its thresholds when it starts, and notes tasks that exceed a threshold', async () => {
  const { tasker, another, sql } = await setup({ templates: [template({ a: [] })], worker: false });
  const { taskUuid } = await tasker.createTask(DEMO);
  await age(sql, 61);
  const { logger, lines } = collectingLogger();
  const other = defineHandler('other', {}, () => ({}));
  const folder = await mkdtemp(path.join(tmpdir(), 'thresholds-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const configPath = path.join(folder, 'tasker.toml');
  await writeFile(configPath, '[orchestration.dlq.thresholds]\nwaiting_for_dependencies_minutes = 60\n');
  const { waitingForDependenciesMinutes } = loadConfig({ configPath }).config;
  expect(waitingForDependenciesMinutes).toBe(60);
  await another({ worker: true, handlers: [other], namespaces: ['elsewhere'], logger, configPath });
  const logged = await until(
    () => lines.filter(({ message }) => message.includes('thresholds')),
    (seen) => seen.length > 0,
  );
  expect(logged).toEqual([
    {
      level: 'info',
      message: 'orchestration.dlq.thresholds: open tasks that reach them are noted as stale',
      fields: { minutes: { waitingForDependencies: 60 } },
    },
  ]);
  await until(
    () => sql('select thresholds from tasker.task_watch where task_uuid = $1', [taskUuid]),
    (rows) => rows.length === 1,
  );
  expect((await checkForStale(tasker)).noted).toMatchObject([{ taskUuid }]);
});

it.each([
  [{}, undefined],
  [{ taskLifetimeHours: 24, deadLetters: false }, undefined],
  [{ taskLifetimeHours: 24, stalenessDetection: false }, undefined],
  [{ taskLifetimeHours: 24, stalenessDryRun: true }, undefined],
  [
    { taskLifetimeHours: 24, waitingForRetryMinutes: 30, stalenessIntervalMs: 60_000 },
    {
      intervalMs: 60_000,
      minutes: { lifetime: 1440, waitingForDependencies: null, waitingForRetry: 30, stepsInProcess: null },
    },
  ],
])('the thresholds of the configuration %j are %j', (config, thresholds) => {
  expect(thresholdsOf(config)).toEqual(thresholds);
});
