import { isLockTimeout } from '../../db/connection-error.ts';
import { isTaskerError, messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import {
  forgetInbox,
  type InboxRow,
  lockInbox,
  postponeInbox,
  readInbox,
  readInboxRow,
  settleInbox,
} from '../../store/signals/inbox.ts';
import type { SignalTarget } from './signal-request.ts';
import { deliver, TakenElsewhere, type WaitingEngine } from './signals.ts';

export { CHANNEL_SIGNALS } from '../../store/signals/inbox.ts';

const ROWS_AT_ONCE = 100;
/** Interval between deletions of old rows. */
const FORGET_MS = 3_600_000;
/** How long a row remains after its signal was used or rejected, because `getSignal` shows its outcome. */
const KEPT_MS = 30 * 86_400_000;
const FORGOTTEN_AT_ONCE = 1_000;

/** The stored outcome of a signal in the inbox. */
export interface InboxOutcome {
  /** The id of the signal, or of an earlier signal with the same key. Its tasks have this id. */
  signalId?: string;
  error?: { code: string; message: string };
}

/** Uses the signals that callers have sent in their own transactions. Several processes may do so at the same time. */
export class SignalInbox {
  readonly #engine: WaitingEngine;
  readonly #logger: Logger;
  #using: Promise<number> | undefined;
  #again = false;
  #stopped = false;
  #forgotAt = Number.NEGATIVE_INFINITY;

  constructor(engine: WaitingEngine, logger: Logger) {
    this.#engine = engine;
    this.#logger = logger;
  }

  /** Uses all signals in the inbox, and returns their number. A call during a run makes the run check once more. */
  use(): Promise<number> {
    if (this.#stopped) return Promise.resolve(0);
    this.#again = true;
    this.#using ??= this.#run().finally(() => (this.#using = undefined));
    return this.#using;
  }

  /** Waits until the current signal has been used, and uses no further signals. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#using;
  }

  async #run(): Promise<number> {
    let used = 0;
    try {
      while (this.#again) {
        this.#again = false;
        used += await this.#useAll();
      }
      await this.#forget();
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'could not read the signal inbox; retrying');
    }
    return used;
  }

  async #useAll(): Promise<number> {
    let used = 0;
    for (let after = 0; ; ) {
      const places = await readInbox(this.#engine.database, after, ROWS_AT_ONCE);
      for (const seq of places) {
        if (this.#stopped) return used;
        const row = await readInboxRow(this.#engine.database, seq);
        if (row && (await this.#useOne(row))) used++;
      }
      if (places.length < ROWS_AT_ONCE) return used;
      after = places.at(-1)!;
    }
  }

  /** Uses one signal. Returns false if another process has the signal, or if it must be retried. */
  async #useOne({ seq, signalId, target, name, key, payload, by }: InboxRow): Promise<boolean> {
    const { database } = this.#engine;
    const value = JSON.parse(payload) as unknown;
    const signal = { name, key, payload, value, bytes: Buffer.byteLength(payload), by };
    try {
      await deliver(this.#engine, {
        target: JSON.parse(target) as SignalTarget,
        signalId,
        signal,
        claim: (tx) => lockInbox(tx, seq),
        settled: async (tx, sent) => {
          await settleInbox(tx, { seq, outcome: outcome({ signalId: sent.signalId }), keep: false });
        },
      });
      return true;
    } catch (error) {
      if (error instanceof TakenElsewhere) return false;
      if (isTaskerError(error) && REFUSALS.has(error.code)) {
        const { code, message } = error;
        return settleInbox(database, { seq, outcome: outcome({ error: { code, message } }), keep: true });
      }
      const locked = isLockTimeout(error);
      this.#logger[locked ? 'debug' : 'warn'](
        { signal: signalId, name, error: messageOf(error) },
        'signal not delivered yet; retrying',
      );
      await postponeInbox(database, seq);
      return false;
    }
  }

  async #forget(): Promise<void> {
    if (performance.now() - this.#forgotAt < FORGET_MS) return;
    this.#forgotAt = performance.now();
    const some = { retentionMs: KEPT_MS, limit: FORGOTTEN_AT_ONCE };
    while (!this.#stopped && (await forgetInbox(this.#engine.database, some)) === FORGOTTEN_AT_ONCE);
  }
}

/** Errors that a retry cannot fix. */
const REFUSALS: ReadonlySet<string> = new Set([
  'signal_refused',
  'wait_over',
  'task_not_found',
  'bad_request',
  'invalid_uuid',
]);

const outcome = (of: InboxOutcome) => JSON.stringify(of);
