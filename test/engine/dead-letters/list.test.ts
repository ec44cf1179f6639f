import { describe, expect, it } from 'vitest';
import { template } from '../../support/setup.ts';
import { sharedTasker } from '../../support/shared-tasker.ts';

const shared = sharedTasker({ templates: ['fulfil', 'refund'].map((name) => template({ a: [] }, { name })) });

/** Adds entries with SQL, because the list does not depend on how they were created. */
async function withEntries(count: number) {
  const made = await shared();
  await made.sql(
    `insert into tasker.dead_letter (task_uuid, template_id, reason, original_state, cause, moved_at, snapshot, created_at, queue_at, assignee, priority)
     select gen_random_uuid(), case when n % 10 = 0 then 2 else 1 end,
            case n % 4 when 0 then 'manual_dlq' when 1 then 'staleness_timeout' when 2 then 'worker_unavailable' else 'max_retries_exceeded' end,
            'blocked_by_failures', 'cause ' || n, now(), '{}', now() - n * interval '1 minute',
            now() - n * interval '1 minute' - case n % 4 when 0 then 10 when 1 then 100 when 2 then 50 else 500 end * interval '1 minute',
            case when n % 7 = 0 then 'ann' end, case when n = 13 then 5 when n = 14 then -5 else 0 end
       from generate_series(1, $1) n`,
    [count],
  );
  return made;
}

describe('the list of dead letters', () => {
  it('is sorted by priority and then by score over all pages', async () => {
    const { tasker } = await withEntries(57);
    const causes: string[] = [];
    const scores: number[] = [];
    let cursor: string | null | undefined;
    do {
      const page = await tasker.deadLetters.list({}, { limit: 10, cursor: cursor ?? undefined });
      expect(page).toMatchObject({ total: 57, totalIsExact: true });
      causes.push(...page.entries.map((entry) => entry.cause));
      scores.push(...page.entries.map((entry) => entry.priorityScore));
      cursor = page.nextCursor;
    } while (cursor);
    expect(new Set(causes).size).toBe(57);
    expect(causes[0]).toBe('cause 13');
    expect(causes.at(-1)).toBe('cause 14');
    expect(scores.slice(1, -1)).toEqual([...scores.slice(1, -1)].sort((a, b) => b - a));
    expect(scores[1]).toBe(555);
  });

  it('can be read by an offset', async () => {
    const { tasker } = await withEntries(30);
    const all = (await tasker.deadLetters.list({}, { limit: 30 })).entries.map((entry) => entry.cause);
    for (const filter of [{}, { namespace: 'test' }]) {
      const { entries } = await tasker.deadLetters.list(filter, { limit: 5, offset: 10 });
      expect(entries.map((entry) => entry.cause)).toEqual(all.slice(10, 15));
    }
    const { entries } = await tasker.deadLetters.list({ status: 'all' }, { limit: 5, offset: 28 });
    expect(entries.map((entry) => entry.cause)).toEqual(['cause 29', 'cause 30']);
    await expect(tasker.deadLetters.list({}, { offset: -1 })).rejects.toMatchObject({ code: 'bad_request' });
  });

  it.each([
    [{ dlqReason: 'manual_dlq' }, (n: number) => n % 4 === 0],
    [{ assignee: 'ann' }, (n: number) => n % 7 === 0],
    [{ unassigned: true }, (n: number) => n % 7 !== 0],
    [{ name: 'refund' }, (n: number) => n % 10 === 0],
    [{ namespace: 'test', templateVersion: '1.x' }, () => true],
    [{ name: 'refund', assignee: 'ann' }, (n: number) => n % 70 === 0],
    [{ addedAfter: '30m' }, (n: number) => n < 30],
    [{ addedBefore: '30m' }, (n: number) => n >= 30],
    [{ name: 'nothing' }, () => false],
    [{ status: 'cancelled' }, () => false],
    [{ status: 'all' }, () => true],
  ])('is filtered by %j', async (filter, fits) => {
    const { tasker } = await withEntries(80);
    const wanted = Array.from({ length: 80 }, (_, i) => i + 1).filter(fits);
    for (const sort of ['priority', 'added'] as const) {
      if (sort === 'priority' && 'status' in filter) continue;
      const { entries, total } = await tasker.deadLetters.list(filter as object, { limit: 100, sort });
      expect(entries.map(({ cause }) => Number(cause.slice(6))).sort((a, b) => a - b)).toEqual(wanted);
      expect(total).toBe(wanted.length);
    }
  });

  it('is sorted from the newest entry over all pages and states with sort: added', async () => {
    const { tasker, sql } = await withEntries(25);
    await sql(
      `update tasker.dead_letter set status = 'cancelled', resolved_at = now(), resolved_by = 'x' where cause like '%3'`,
    );
    const causes: string[] = [];
    let cursor: string | null | undefined;
    do {
      const page = await tasker.deadLetters.list({ status: 'all' }, { limit: 7, cursor: cursor ?? undefined });
      causes.push(...page.entries.map((entry) => entry.cause));
      cursor = page.nextCursor;
    } while (cursor);
    expect(causes).toEqual(Array.from({ length: 25 }, (_, i) => `cause ${i + 1}`));
  });

  it.each([
    [{ reason: 'x' }, 'unknown condition reason of dead letters'],
    [{ dlqReason: 'manual' }, 'dlqReason: manual is not one of'],
    [{ status: 'open' }, 'status: open is not one of'],
    [{ assignee: 'a', unassigned: true }, 'unassigned and assignee exclude each other'],
    [{ assignee: 'a\u0000' }, 'assignee must be a string'],
    [{ addedAfter: 'last week' }, 'addedAfter: last week is not a time'],
    [{ templateVersion: '>>1' }, 'is not a version'],
  ])('rejects the filter %j', async (filter, message) => {
    const { tasker } = await shared();
    await expect(tasker.deadLetters.list(filter as never)).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining(message),
    });
  });

  it('rejects an invalid page', async () => {
    const { tasker } = await shared();
    const list = (page: object, filter: object = {}) => tasker.deadLetters.list(filter as never, page as never);
    await expect(list({ limit: 0 })).rejects.toMatchObject({ code: 'bad_request' });
    await expect(list({ cursor: 'x' })).rejects.toMatchObject({
      message: /the cursor is not from a page of dead letters/,
    });
    await expect(list({ sort: 'age' })).rejects.toMatchObject({ message: /sort must be priority or added/ });
    await expect(list({ sort: 'priority' }, { status: 'all' })).rejects.toMatchObject({ message: /use sort: added/ });
  });

  it('is empty at first', async () => {
    const { tasker } = await shared();
    expect(await tasker.deadLetters.list()).toEqual({ entries: [], total: 0, totalIsExact: true, nextCursor: null });
    expect(await tasker.deadLetters.stats()).toEqual([]);
  });
});

describe('the statistics of dead letters', () => {
  it('count entries by reason, and contain the average time until entries were closed', async () => {
    const { tasker, sql } = await withEntries(40);
    await sql(
      `update tasker.dead_letter set status = case when priority > 0 then 'permanently_failed' else 'manually_resolved' end, resolved_by = 'ann',
              resolved_at = created_at + interval '30 minutes'
        where reason = 'staleness_timeout' and (created_at > now() - interval '10 minutes' or priority > 0)`,
    );
    const stats = await tasker.deadLetters.stats();
    expect(stats.map(({ dlqReason, totalEntries }) => [dlqReason, totalEntries])).toEqual([
      ['manual_dlq', 10],
      ['max_retries_exceeded', 10],
      ['worker_unavailable', 10],
      ['staleness_timeout', 10],
    ]);
    expect(stats.at(-1)).toMatchObject({
      pending: 6,
      manuallyResolved: 3,
      permanentFailures: 1,
      cancelled: 0,
      oldestEntry: expect.stringMatching(/^20/),
      newestEntry: expect.stringMatching(/^20/),
      avgResolutionTimeMinutes: 30,
    });
    expect(stats[0]).toMatchObject({ avgResolutionTimeMinutes: null, unassigned: 9 });
    expect((await tasker.deadLetters.stats({ addedAfter: '20m' })).map((row) => row.totalEntries)).toEqual([
      5, 5, 4, 5,
    ]);
    expect(await tasker.deadLetters.stats({ name: 'nothing' })).toEqual([]);
  });
});

describe('the status', () => {
  it('counts the open dead letters', async () => {
    const { tasker } = await withEntries(12);
    expect((await tasker.status()).attention.deadLetters).toBe(12);
  });
});
