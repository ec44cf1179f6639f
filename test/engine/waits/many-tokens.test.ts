import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { KIND, type Recording } from '../../../src/engine/engine.ts';
import { readTokenText, tokenText } from '../../../src/model/completion-token.ts';
import { handBench } from '../../support/hand-worker.ts';
import { DEMO, invariants, itOnce, template } from '../../support/setup.ts';

const TOKENS = Number(process.env.TASKER_TOKENS ?? (process.env.PROVE === '1' ? 10_000 : 200));
const NOTHING = { freeSlots: 0, token: 0, lastRank: -101 };
const AT_ONCE = 20;

/** Tasks that wait for a completion, with their tokens. */
async function waitingTasks() {
  const bench = await handBench();
  const { engine, tasker } = bench;
  const steps = { wait: { retry: { max_attempts: 1 } }, after: ['wait'] };
  await tasker.registerTemplates([template(steps, { namespace: 'tokens' })]);
  const name = { name: 'hand', host: 'h', pid: 1, namespaces: ['tokens'], callables: [], concurrency: 9 };
  const workerId = await engine.registerWorker({ ...name, leaseMs: 3_600_000 });
  const namespaceIds = await engine.namespaceIds(['tokens']);
  const tokens: string[] = [];
  for (let claims = 1; tokens.length < TOKENS; claims++) {
    const limit = Math.min(500, TOKENS - tokens.length);
    await tasker.createTasks(Array.from({ length: limit }, () => ({ ...DEMO, namespace: 'tokens' })));
    const claim = workerId * 2 ** 24 + claims;
    const { steps: rows } = await engine.claim({ limit, token: claim, workerId, namespaceIds, excluded: [] });
    const batch: Recording[] = [];
    for (const { taskUuid, idx, templateId, rank } of rows) {
      tokens.push((await engine.saveToken({ taskUuid, idx, claim }, { timeoutMs: 10_000 }))!);
      const wait = { kind: 'completion', forMs: 86_400_000, settings: {} } as const;
      const base = { taskUuid, idx, claim, templateId, rank, durationMs: 1, delayMs: 0 };
      batch.push({ ...base, kind: KIND.waits, result: 'null', detail: 'null', wait });
    }
    await engine.record(batch, NOTHING);
  }
  return { ...bench, tokens };
}

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'done',
    (error: { code: string }) => error.code,
  );

itOnce(
  `each of ${TOKENS} tokens ends its step at most once even if it is used twice or late, and no wrong token ends a step`,
  async () => {
    const { tokens, engine, sql } = await waitingTasks();
    const isLate = (i: number) => i % 10 === 3;
    const late = tokens.filter((_, i) => isLate(i)).map((token) => readTokenText(token)!.taskUuid);
    // No process has handled these limits yet.
    await sql(
      `update tasker.wait set since = now() - interval '2 s', until = now() - interval '1 s', due_at = now() - interval '1 s'
        where task_uuid = any ($1)`,
      [late],
    );
    const used = { once: 0, twice: 0 };
    for (let i = 0; i < tokens.length; i += AT_ONCE) {
      await Promise.all(
        tokens.slice(i, i + AT_ONCE).map(async (token, j) => {
          const key = readTokenText(token)!;
          const wrong = [
            // A guess for the same step, the secret of another step, and another attempt.
            tokenText(key, randomBytes(32)),
            tokenText(key, readTokenText(tokens[(i + j + 1) % tokens.length]!)!.secret),
            tokenText({ ...key, attempt: key.attempt + 1 }, key.secret),
          ];
          for (const one of wrong) expect(await codeOf(engine.completeByToken(one, 'wrong'))).toBe('token_invalid');
          const use = () => engine.completeByToken(token, i + j);
          if (isLate(i + j)) expect(await codeOf(use())).toBe('wait_over');
          else if ((i + j) % 2 === 1) {
            const { repeated } = await use();
            expect(repeated).toBe(false);
            used.once++;
          } else {
            const both = await Promise.all([use(), use()]);
            expect(both.map(({ repeated }) => repeated).sort()).toEqual([false, true]);
            used.twice++;
          }
        }),
      );
    }
    expect(used.once + used.twice).toBe(TOKENS - late.length);
    await engine.promoteDue();
    const ends = await sql(`
      select s.state::text, w.ended_by, count(*)::int n from tasker.step s join tasker.wait w using (task_uuid, idx)
       where s.idx = 0 group by 1, 2 order by 1`);
    expect(ends).toEqual([
      { state: 'complete', ended_by: 'token', n: TOKENS - late.length },
      { state: 'error', ended_by: 'timeout', n: late.length },
    ]);
    const twice = await sql(`select 1 from tasker.history where idx = 0 group by task_uuid having count(*) <> 1`);
    expect(twice).toEqual([]);
    console.log(`${TOKENS} tokens: ${used.twice} used twice, ${late.length} late, ${3 * TOKENS} wrong ones refused`);
    await invariants(sql);
  },
  60_000 + TOKENS * 100,
);
