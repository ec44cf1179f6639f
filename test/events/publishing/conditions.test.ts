import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { EVENT_CONDITIONS, type EventCondition } from '../../../src/template/task-template.ts';
import { DEMO, invariants, setup, template } from '../../support/setup.ts';

/** The outcome of an attempt: success, retryable failure or permanent failure. */
const ENDS = ['ok', 'again', 'never'] as const;
type End = (typeof ENDS)[number];
/** A step, with the outcomes of its attempts and the retry policy of its template. */
interface Case {
  ends: End[];
  maxAttempts: number;
  retryable: boolean;
}

const CASES: Case[] = ENDS.flatMap((first) =>
  ENDS.flatMap((second) =>
    ENDS.flatMap((third) =>
      [1, 2, 3].flatMap((maxAttempts) =>
        [true, false].map((retryable) => ({ ends: [first, second, third], maxAttempts, retryable })),
      ),
    ),
  ),
);

/** Attempt, condition, and whether the event is marked as final. */
type Fired = [attempt: number, condition: EventCondition, final: boolean];

/** The expected events: the conditions that hold for each attempt, in declared order. */
function expected({ ends, maxAttempts, retryable }: Case): Fired[] {
  const fired: Fired[] = [];
  for (let attempt = 1; ; attempt++) {
    const end = ends[attempt - 1]!;
    const again = end === 'again' && retryable && attempt < maxAttempts;
    const holds: Record<EventCondition, boolean> = {
      success: end === 'ok',
      failure: end !== 'ok',
      retryable_failure: again,
      permanent_failure: end !== 'ok' && !again,
      always: true,
    };
    const final = end !== 'ok' && !again;
    for (const condition of EVENT_CONDITIONS) if (holds[condition]) fired.push([attempt, condition, final]);
    if (!again) return fired;
  }
}

it(`each of the five conditions publishes exactly when it holds, for all ${CASES.length} combinations of outcomes, attempts and policies`, async () => {
  const events = EVENT_CONDITIONS.map((condition) => ({
    name: `step.${condition}`,
    description: condition,
    condition,
    schema: {},
  }));
  const steps = CASES.map(({ maxAttempts, retryable }, i) => [
    `s${i}`,
    {
      handler: { callable: 'scripted', initialization: { case: i } },
      retry: { max_attempts: maxAttempts, retryable, backoff: 'none' },
      publishes_events: events,
    },
  ]);
  const scripted = defineHandler('scripted', {}, ({ context }) => {
    const end = CASES[context.stepConfig['case'] as number]!.ends[context.retryCount]!;
    if (end === 'never') throw new PermanentError('no');
    if (end === 'again') throw new Error('not yet');
    return { ok: true };
  });
  const { tasker, sql } = await setup({
    templates: template(Object.fromEntries(steps)),
    handlers: [scripted],
    logger: silentLogger,
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 });

  const rows = await sql<{ idx: number; attempt: number; name: string; metadata: { final?: true } | null }>(
    `select idx, attempt, name, metadata from tasker.domain_event order by id`,
  );
  const fired = CASES.map((_, idx) =>
    rows
      .filter((row) => row.idx === idx)
      .map(({ attempt, name, metadata }) => [attempt, name.slice('step.'.length), metadata?.final ?? false]),
  );
  expect(fired).toEqual(CASES.map(expected));
  await invariants(sql);
});
