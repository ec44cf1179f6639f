import { expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import { bar, sparkline } from '../../../src/cli/show/chart.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { endStates, RETRY_AT_ONCE, template } from '../../support/setup.ts';
import { projectOnDatabase } from '../installation.ts';

const on = projectOnDatabase();

const STEPS = { pack: [], charge: { dependencies: ['pack'], retry: { ...RETRY_AT_ONCE, max_attempts: 2 } } };

it('`tasker stats` reports an empty period, and suggests a longer one', async () => {
  const { code, stdout, stderr } = await on.project.run(['stats']);
  expect([code, stdout]).toEqual([0, '']);
  expect(stderr).toMatch(/^no attempt ended from .* to .* UTC; counting began at .*; --since 7d looks further back\n$/);
});

it('`tasker stats` shows tasks, attempts, templates and steps, and `--json` the same numbers', async () => {
  const tasker = await createTasker({
    databaseUrl: on.database.url,
    templates: [
      template(STEPS, { namespace: 'shop', name: 'fulfil' }),
      template({ pack: [] }, { namespace: 'depot', name: 'pack' }),
    ],
    handlers: [
      defineHandler('pack', {}, () => ({})),
      defineHandler('charge', {}, ({ context }) => {
        if (context.getInput('declined')) throw new PermanentError('declined');
        return {};
      }),
    ],
    logger: silentLogger,
  });
  const requests = Array.from({ length: 30 }, (_, i) => ({
    namespace: 'shop',
    name: 'fulfil',
    version: '1.0.0',
    context: { declined: i < 10 },
  }));
  await endStates(
    tasker,
    await tasker.createTasks([...requests, { namespace: 'depot', name: 'pack', version: '1.0.0' }]),
  );
  // Counts all attempts now. The shutdown would count for a few seconds only, and the command counts only attempts that
  // are older than a second.
  await tasker.engine.analytics.flush();
  await tasker.stop();

  const all = await on.project.run(['stats']);
  expect([all.code, all.stderr]).toEqual([0, '']);
  expect(all.stdout).toMatch(/^From (\d{4}-\d\d-\d\d )?\d\d:\d\d to \d\d:\d\d UTC\n/);
  expect(all.stdout).toMatch(/^tasks ended +21, .*: 21 complete$/m);
  expect(all.stdout).toMatch(/^tasks open +10, 10 blocked$/m);
  expect(all.stdout).toMatch(/^attempts +61, .*, 83.6 % succeeded$/m);
  expect(all.stdout).toMatch(/^ +failed +10: 10 gave up$/m);
  expect(all.stdout).toMatch(/^shop\/fulfil@1\.0\.0 +20 +100 % +10 +10 /m);
  expect(all.stdout).toMatch(/^charge +shop\/fulfil@1\.0\.0 .* 33\.3 % /m);
  expect(all.stdout).toMatch(/^→ 10 open tasks are blocked by a failure: `tasker task summary` shows the causes$/m);
  expect(all.stdout).toMatch(/^percentiles are off by at most 5 %; all other numbers are exact$/m);

  const one = await on.project.run(['stats', 'depot/pack']);
  expect(one.stdout).toMatch(/^pack +100 % /m);
  expect(one.stdout).not.toContain('shop/fulfil');

  const found = await on.project.json<Record<string, unknown>>(['stats', 'shop/fulfil@1.0.0', '--step', 'charge']);
  expect(found).toMatchObject({
    percentile_error: 0.05,
    tasks: { ended: 20, completion_rate: 1, duration: { count: 20 } },
    steps: { attempts: 30, gave_up: 10, queueing: { count: 30 } },
    open: { blocked: 10 },
    templates: [{ namespace: 'shop', name: 'fulfil', version: '1.0.0', average_step_count: 1 }],
    slow_steps: [{ step: 'charge', handler: 'charge', share_of_time: 1, error_rate: 1 / 3 }],
  });
});

it('`tasker stats --compare` compares the window with that of yesterday, and shows what became worse', async () => {
  // The attempts of the test above happened yesterday, without failures.
  await on.database.sql(`update tasker.analytics set at = at - interval '24 hours'`);
  await on.database.sql(`update tasker.analytics set failed = 0, gave_up = 0, completed = completed + failed`);
  await on.database.sql(`update tasker.analytics_state set since = since - interval '3 days'`);
  const tasker = await createTasker({
    databaseUrl: on.database.url,
    templates: [template(STEPS, { namespace: 'shop', name: 'fulfil' })],
    handlers: [
      defineHandler('pack', {}, () => ({})),
      defineHandler('charge', {}, () => {
        throw new PermanentError('declined');
      }),
    ],
    logger: silentLogger,
  });
  const request = { namespace: 'shop', name: 'fulfil', version: '1.0.0' };
  await endStates(tasker, await tasker.createTasks(Array.from({ length: 25 }, () => request)));
  await tasker.engine.analytics.flush();
  await tasker.stop();

  const { code, stdout, stderr } = await on.project.run(['stats', '--since', '1h', '--compare']);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^From .* UTC, compared with .* to .* UTC$/m);
  expect(stdout).toMatch(/^attempts +61 +50 +-18 %$/m);
  expect(stdout).toMatch(/^ +gave up +0 +25 +new$/m);
  expect(stdout).toMatch(/^charge +shop\/fulfil@1\.0\.0 +30 → 25 +0 % → 100 % /m);
  expect(stdout).toMatch(/^pack +depot\/pack@1\.0\.0 +1 → - /m);
  expect(stdout).toMatch(/^→ 100 % of the attempts of charge of shop\/fulfil fail, up from 0 %$/m);
  const found = await on.project.json<Record<string, unknown>>(['stats', 'shop/fulfil', '--compare', '24h']);
  expect(found).toMatchObject({
    before: { open: null, steps: { attempts: 60, failed: 0 } },
    after: { open: { blocked: 35 }, steps: { attempts: 50, failed: 25 } },
  });
  const overlap = await on.project.run(['stats', '--since', '48h', '--compare', '24h']);
  expect([overlap.code, overlap.stderr]).toEqual([2, expect.stringContaining('the windows overlap')]);
  const past = await on.project.run(['stats', '--since', '25h', '--until', '23h']);
  expect(past.stdout).not.toMatch(/tasks open|OPEN|blocked/);
});

it('an invalid argument exits 1 or 2, and the message lists the valid values', async () => {
  for (const [args, code, says] of [
    [['stats', 'fulfill'], 1, 'no template fulfill is registered; did you mean fulfil'],
    [['stats', '--step', 'chrage'], 1, 'no template has a step chrage; did you mean charge?'],
    [['stats', '--sort', 'speed'], 2, 'Allowed choices are time, duration'],
    [['stats', '--limit', '0'], 2, 'whole number from 1 to 1000'],
    [['stats', '--since', 'monday'], 2, 'monday'],
    [['stats', '--compare', 'shop/fulfil'], 2, 'it must be a duration'],
  ] as const) {
    const ran = await on.project.run(args);
    expect([ran.code, ran.stderr], args.join(' ')).toEqual([code, expect.stringContaining(says)]);
  }
});

it('charts show proportions, without a bar for zero', () => {
  expect(sparkline([0, 1, 2, 4, 8])).toBe('·▁▂▄█');
  expect(sparkline([0, 0])).toBe('··');
  expect(sparkline([1, 1, 0, 0], 2)).toBe('█·');
  expect([bar(1, 4), bar(0.5, 4), bar(0.001, 4), bar(0, 4), bar(2, 4)]).toEqual(['████', '██', '▏', '', '████']);
});
