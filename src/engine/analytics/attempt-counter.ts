import { isStatementTimeout } from '../../db/connection-error.ts';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import {
  type Counted,
  countNew,
  countPart,
  historyIsShort,
  pruneAnalytics,
  rebaseCounting,
  restFromCounting,
  summarizeHistory,
  sumTenDays,
  takeCountingTurn,
} from '../../store/analytics/count-new.ts';
import { noteQueueDepths } from '../../store/overview/queue-flow.ts';

/** Delay from a change to the pass that counts it, and the minimum interval between passes of all processes. */
const TURN_MS = 2_000;
/** How often every process checks that another process is still counting. */
const LOOK_MS = 15_000;
/** Maximum age of the statistics that a reader receives. */
const READ_MS = 1_500;
/**
 * Pause of all processes after a pass, as a multiple of its duration, so that counting takes at most a twentieth of a
 * core. Under the highest load, counting falls behind and catches up later.
 */
const REST_PER_TURN = 19;
/**
 * Like `REST_PER_TURN`, but during a burst of attempts. The backlog is counted when the burst has ended, or at the
 * usual pace if it lasts.
 */
const REST_IN_BURST = 59;
/** Counting delay after which a burst is treated as sustained load. */
const BURST_MS = 30_000;
/** After a pass with fewer attempts than this, the pause is only as long as the pass, which was mostly planning. */
const FEW_ATTEMPTS = 500;
/** Maximum time to count the rest before statistics are read, or when the process stops. */
const CATCH_UP_MS = 2_000;
/**
 * Target number of attempts in a pass. Counting them takes a few hundredths of a second, which does not slow down
 * recording.
 */
const ATTEMPTS_A_TURN = 2_500;
/** Maximum number of attempts in a pass. A transaction with more attempts is counted in several passes. */
const MOST_ATTEMPTS = 16_000;
/** Lower limit of `MOST_ATTEMPTS`, which is halved whenever a pass exceeds the statement timeout. */
const FEWEST_ATTEMPTS = 10;
/** In the first of several passes for one transaction: the number of attempts whose tasks are counted. */
const FIRST_ROWS = 100;
/**
 * Number of transactions in the first pass, and in the first pass after an idle period. A transaction can record a few
 * hundred attempts.
 */
const FIRST_TRANSACTIONS = 20;
const FEWEST_TRANSACTIONS = 10;
/** After this many transactions with few attempts, the next ones are expected to have few attempts too. */
const CERTAINLY_OTHERS = 160;
const MOST_TRANSACTIONS = 4_000_000;
/** After this many attempts, their pages of the history are added to its index. */
const ATTEMPTS_A_SUMMARY = 20_000;

// Forces hash joins, because the planner cannot estimate how many rows there are to count. Lookups by key use lateral
// joins, which are nested loops in any case.
const COUNTING = opening({
  enable_seqscan: 'off',
  enable_nestloop: 'off',
  enable_mergejoin: 'off',
  enable_memoize: 'off',
  jit: 'off',
  plan_cache_mode: 'force_generic_plan',
  max_parallel_workers_per_gather: '0',
  work_mem: '32MB',
  synchronous_commit: 'off',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '20s',
});
// Must not wait for an autovacuum: PostgreSQL would cancel the autovacuum after a second.
const SUMMARIZING = opening({ lock_timeout: '100ms', statement_timeout: '20s' });

const NOTING = opening({ jit: 'off', synchronous_commit: 'off', statement_timeout: '10s' });

/** Options of {@link AttemptCounter}. */
export interface AttemptCounterOptions {
  /** If false, this process counts nothing. Default true. */
  enabled?: boolean | undefined;
  /** Number of transactions in the first pass. Later passes adapt it to the number of attempts per transaction. */
  transactions?: number;
  /** Maximum number of attempts in a pass. Only a single task with more attempts exceeds it. */
  attempts?: number;
}

/**
 * Counts attempts and ended tasks for the statistics, in the background. Any process may run the next pass, which
 * counts what any process committed since the last pass. So nothing depends on the process that recorded an attempt.
 */
export class AttemptCounter {
  readonly enabled: boolean;
  readonly #database: Database;
  readonly #logger: Logger;
  #transactions: number;
  readonly #mostAttempts: number;
  #attempts: number;
  /** Whether the next transaction has too many attempts for one pass. */
  #isInParts = false;
  /** Number of the transaction's attempts whose tasks one pass counts. Each attempt may belong to another task. */
  #partRows: number;
  /** Whether something was recorded since the last pass. */
  #noticed = false;
  #timer: NodeJS.Timeout | undefined;
  #looks: NodeJS.Timeout | undefined;
  #turn: Promise<void> | undefined;
  #unsummarized = 0;
  /** Whether this process has counted nothing yet, and begins with the default number of transactions. */
  #isFirst: boolean;
  #failing = false;
  #stopped = false;

  constructor(
    database: Database,
    logger: Logger,
    { enabled = true, transactions = FIRST_TRANSACTIONS, attempts = MOST_ATTEMPTS }: AttemptCounterOptions = {},
  ) {
    this.enabled = enabled;
    this.#database = database;
    this.#logger = logger;
    this.#transactions = transactions;
    this.#mostAttempts = attempts;
    this.#attempts = attempts;
    this.#partRows = Math.min(FIRST_ROWS, attempts);
    this.#isFirst = transactions === FIRST_TRANSACTIONS;
  }

  /** Checks periodically whether something is left to count, until {@link stop} is called. */
  start(): void {
    if (!this.enabled || this.#looks || this.#stopped) return;
    this.#looks = setInterval(() => this.#begin(0, LOOK_MS), LOOK_MS);
    this.#looks.unref();
  }

  /** Records that an attempt or a task ended. Costs only a timer. */
  noticed(): void {
    this.#noticed = true;
    if (!this.#timer) this.#begin(TURN_MS, TURN_MS);
  }

  #begin(afterMs: number, olderMs: number): void {
    if (!this.enabled || this.#stopped || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#turn = this.#run(olderMs).finally(() => {
        this.#turn = undefined;
      });
    }, afterMs);
    this.#timer.unref();
  }

  async #run(olderMs: number): Promise<void> {
    this.#noticed = false;
    let again: number | undefined;
    let restMs = 0;
    try {
      // Slightly shorter, so that a pass is not skipped because the previous pass took longer than the timer.
      const counted = await this.count({ olderMs: olderMs * 0.9, now: false });
      restMs = counted?.restMs ?? 0;
      if (!counted) this.#noticed ||= olderMs === TURN_MS;
      else if (!counted.complete) again = restMs;
      this.#failing = false;
    } catch (error) {
      // Logged once, because every pass fails while the server is unreachable.
      if (!this.#failing && !this.#stopped) {
        this.#logger.warn({ error: messageOf(error) }, 'statistics not written; retrying');
      }
      this.#failing = true;
      this.#transactions = Math.max(FEWEST_TRANSACTIONS, Math.floor(this.#transactions / 4));
      again = LOOK_MS;
    } finally {
      this.#timer = undefined;
    }
    if (again !== undefined) this.#begin(again, 0);
    else if (this.#noticed) this.#begin(Math.max(TURN_MS, restMs), TURN_MS);
  }

  /**
   * Counts what was committed since the last pass, up to a number of transactions. Undefined if another process is
   * counting, or did so less than `olderMs` ago. `now`: counts even during the pause between passes.
   */
  async count({
    olderMs,
    now = true,
  }: {
    olderMs: number;
    now?: boolean;
  }): Promise<(Counted & { restMs: number }) | undefined> {
    const counted = await this.#turnOf(olderMs, now).catch((error: unknown) => this.#shrink(error));
    if (!counted) return undefined;
    this.#isFirst = false;
    this.#adapt(counted);
    this.#unsummarized += counted.attempts;
    if (this.#unsummarized >= ATTEMPTS_A_SUMMARY) await this.#summarize();
    if (counted.prunable) {
      await this.#noteDepths();
      await this.#sumTenDays();
    }
    return counted;
  }

  /** Runs a pass in its own transaction, if a pass is due. */
  #turnOf(olderMs: number, now: boolean): Promise<(Counted & { restMs: number }) | undefined> {
    return this.#database.transaction(COUNTING, async (tx) => {
      const { taken, ahead } = await takeCountingTurn(tx, { olderMs: Math.round(olderMs), now });
      if (!taken) return undefined;
      const began = performance.now();
      if (ahead) await rebaseCounting(tx);
      // In a new database on an old server, nearly all earlier transactions belong to other databases and are skipped.
      const whole = this.#isFirst && (await historyIsShort(tx, ATTEMPTS_A_TURN));
      const counted = await this.#countSome(tx, whole ? MOST_TRANSACTIONS : this.#transactions);
      if (counted.prunable) await pruneAnalytics(tx);
      const restMs = (performance.now() - began) * restAfter(counted);
      if (!now) await restFromCounting(tx, restMs);
      return { ...counted, restMs };
    });
  }

  /** Counts up to a number of transactions: fewer if they have too many attempts, or a part of the first one. */
  async #countSome(tx: Db, most: number): Promise<Counted> {
    const attempts = this.#attempts;
    for (let transactions = most; !this.#isInParts; transactions = this.#transactions) {
      const counted = await countNew(tx, { transactions, attempts });
      if (counted) return counted;
      this.#isInParts = transactions === 1;
      this.#transactions = Math.ceil(transactions / 8);
    }
    const part = await countPart(tx, { rows: this.#partRows });
    const factor = part.more ? Math.min(2, attempts / 2 / Math.max(1, part.attempts)) : 1;
    this.#partRows = Math.max(1, Math.min(attempts, Math.floor(this.#partRows * factor)));
    this.#isInParts = part.more;
    return part;
  }

  /** After a statement timeout, lowers the number of attempts in the next passes. */
  async #shrink(error: unknown): Promise<never> {
    if (isStatementTimeout(error)) {
      this.#attempts = Math.max(FEWEST_ATTEMPTS, this.#attempts >> 1);
      this.#partRows = Math.max(1, this.#partRows >> 1);
      // Every pass reads the pages that are not in the index.
      await this.#summarize();
    }
    throw error;
  }

  /** Adapts the number of transactions in the next pass, so that no pass counts too many attempts. */
  #adapt({ attempts, transactions, complete }: Counted): void {
    this.#attempts = Math.min(this.#mostAttempts, Math.ceil(this.#attempts * 1.25));
    if (transactions === 0) return;
    if (attempts > ATTEMPTS_A_TURN * 2) {
      this.#transactions = Math.max(FEWEST_TRANSACTIONS, Math.floor((transactions * ATTEMPTS_A_TURN) / attempts));
    } else if (complete) {
      // The next transactions may belong to a new burst, with many more attempts in each.
      this.#transactions = Math.max(FIRST_TRANSACTIONS, Math.min(this.#transactions, transactions * 2));
    } else if (attempts < ATTEMPTS_A_TURN) {
      // Most of these transactions may belong to other databases, or only create tasks, whose many attempts follow.
      const factor = attempts * 64 < ATTEMPTS_A_TURN && this.#transactions >= CERTAINLY_OTHERS ? 8 : 2;
      this.#transactions = Math.min(MOST_TRANSACTIONS, this.#transactions * factor);
    }
  }

  async #summarize(): Promise<void> {
    this.#unsummarized = 0;
    try {
      await this.#database.pipeline(SUMMARIZING, summarizeHistory);
    } catch (error) {
      // A vacuum extends the index too.
      this.#logger.debug({ error: messageOf(error) }, 'index of the history not extended');
    }
  }

  /** Stores the depths of the queues. Readers compare them to see whether a queue grows. */
  async #noteDepths(): Promise<void> {
    try {
      await this.#database.transaction(NOTING, noteQueueDepths);
    } catch (error) {
      // Until then, readers compare with earlier depths.
      this.#logger.debug({ error: messageOf(error) }, 'queue depths not stored');
    }
  }

  /** Sums the next ten-day period in a separate transaction, so that counting does not fail with it. */
  async #sumTenDays(): Promise<void> {
    try {
      await this.#database.transaction(COUNTING, async (tx) => {
        const { taken } = await takeCountingTurn(tx, { olderMs: 0, now: true });
        if (taken) await sumTenDays(tx);
      });
    } catch (error) {
      // Until then, readers read the single days.
      this.#logger.debug({ error: messageOf(error) }, 'statistics of a ten-day period not summed');
    }
  }

  /**
   * Counts the rest once before statistics are read, unless that was done in the last few seconds. If the reader may
   * not write, or the server is a standby, the statistics are read as they are.
   */
  async catchUp(): Promise<void> {
    if (!this.enabled) return;
    try {
      await this.#countAll(READ_MS);
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'statistics not written before they are read');
    }
  }

  /** Counts everything that is committed, if that takes at most two seconds and no other process is counting. */
  async #countAll(olderMs: number): Promise<void> {
    const until = performance.now() + CATCH_UP_MS;
    for (let counted = await this.count({ olderMs }); counted && !counted.complete; ) {
      if (performance.now() > until) return;
      counted = await this.count({ olderMs: 0 });
    }
  }

  /** Counts everything that is committed. Waits while another process is counting. */
  async flush(): Promise<void> {
    for (;;) {
      const counted = await this.count({ olderMs: 0 });
      if (counted?.complete) return;
      if (!counted) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /**
   * Stops counting. `countLast`: first counts the last attempts, unless this process ran only for one action. Otherwise,
   * another process or the next reader counts them.
   */
  async stop({ countLast }: { countLast: boolean }): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#looks);
    await this.#turn;
    if (!this.#noticed || !this.#looks || !countLast) return;
    try {
      await this.#countAll(0);
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'statistics not written on shutdown');
    }
  }
}

/** Returns the pause after a pass, as a multiple of its duration. */
function restAfter({ attempts, complete, sinceCompleteMs }: Counted): number {
  if (attempts < FEW_ATTEMPTS) return 1;
  return !complete && sinceCompleteMs < BURST_MS ? REST_IN_BURST : REST_PER_TURN;
}
