import { sqlState } from '../../db/connection-error.ts';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { type Claim, type Claimed, type ClaimedStepRow, claimSteps } from '../../store/claim-steps.ts';
import { type AdoptedStepRow, adoptSteps } from '../../store/doubtful.ts';
import {
  type AttemptEndRow,
  attemptEnds,
  dueSteps,
  forgetSteps,
  type GivenStep,
  giveSteps,
  type HeartbeatList,
  type HeldStepRow,
  heldRows,
  missingSteps,
  nextDueMs,
  restartTimeout,
  tidyHttpWorkers,
} from '../../store/http-workers/steps.ts';
import {
  anyHttpWorker,
  type HttpWorkerRow,
  httpWorker,
  livingInstance,
  markHttpWorker,
  noteClaim,
  signOff,
  unservedSteps,
} from '../../store/http-workers/workers.ts';
import { QUEUE_ORDER } from '../../store/planner.ts';
import type { HeldKey } from '../../store/step-key.ts';

export type { AttemptEndRow, GivenStep, HeldStepRow, HttpWorkerRow };

/**
 * Claims of HTTP workers are durable, unlike those of other workers, because a crash must not undo a claim that a
 * client has received.
 */
const CLAIMING = opening({ ...QUEUE_ORDER, statement_timeout: '10s' });
/** The SQLSTATE of a claim that is already recorded. */
const NOTED_BEFORE = '23505';

/** A claim of a worker over HTTP. */
export interface HttpClaim extends Omit<Claim, 'token'> {
  /** The number of the request, chosen by the client. */
  request: number;
  /** Returns the timeout of a step in milliseconds. Null if it has none. */
  timeoutMs(step: ClaimedStepRow): Promise<number | null> | number | null;
}

/** The response to a claim. `refused`: the worker may not claim. `repeated`: an earlier request claimed these steps. */
export type HttpClaimed =
  | { kind: 'claimed' | 'repeated'; steps: AdoptedStepRow[]; passedOver: boolean }
  | { kind: 'refused' };

/** The parts of the engine that the claims of these workers use. */
interface Claiming {
  readonly database: Database;
  withLanes(claim: Claim): Claim;
  claimed(run: () => Promise<Claimed>): Promise<Claimed>;
}

class NothingClaimed extends Error {
  readonly passedOver: boolean;

  constructor({ passedOver }: Claimed) {
    super('nothing claimed');
    this.passedOver = passedOver;
  }
}

/** The statements and transactions of workers that use HTTP. */
export class HttpWorkerSteps {
  readonly #engine: Claiming;

  constructor(engine: Claiming) {
    this.#engine = engine;
  }

  find(id: number): Promise<HttpWorkerRow | undefined> {
    return httpWorker(this.#engine.database, id);
  }

  living(instance: string): Promise<HttpWorkerRow | undefined> {
    return livingInstance(this.#engine.database, instance);
  }

  mark(id: number, protocol: number): Promise<void> {
    return markHttpWorker(this.#engine.database, id, protocol);
  }

  /** Returns whether any worker that uses HTTP may hold steps. */
  any(): Promise<boolean> {
    return anyHttpWorker(this.#engine.database);
  }

  unserved(namespaceIds: readonly number[], callables: readonly string[]): Promise<bigint[]> {
    return unservedSteps(this.#engine.database, namespaceIds, callables);
  }

  /**
   * Claims steps, or returns the steps that the same request claimed before. A claim that finds none is not recorded.
   */
  async claim({ request, timeoutMs, ...claim }: HttpClaim): Promise<HttpClaimed> {
    const { database } = this.#engine;
    const { workerId } = claim;
    const token = tokenOf(workerId, request);
    const from = this.#engine.withLanes({ ...claim, token });
    let refused = false;
    try {
      const { steps, passedOver } = await this.#engine.claimed(() =>
        database.transaction(CLAIMING, async (tx) => {
          refused = !(await noteClaim(tx, workerId, request));
          if (refused) throw new NothingClaimed({ steps: [], taken: 0, passedOver: false });
          const claimed = await claimSteps(tx, from);
          if (claimed.steps.length === 0) throw new NothingClaimed(claimed);
          const given: GivenStep[] = [];
          for (const row of claimed.steps) {
            given.push({ claim: token, taskUuid: row.taskUuid, idx: row.idx, timeoutMs: await timeoutMs(row) });
          }
          await giveSteps(tx, given);
          return claimed;
        }),
      );
      return { kind: 'claimed', steps: steps.map((row) => ({ ...row, claim: token })), passedOver };
    } catch (error) {
      if (error instanceof NothingClaimed) {
        return refused ? { kind: 'refused' } : { kind: 'claimed', steps: [], passedOver: error.passedOver };
      }
      if (sqlState(error) !== NOTED_BEFORE) throw error;
      return { kind: 'repeated', steps: await adoptSteps(database, [token]), passedOver: false };
    }
  }

  /** Returns the rows of steps that are still held. */
  rows(steps: readonly HeldKey[]): Promise<HeldStepRow[]> {
    return heldRows(this.#engine.database, steps);
  }

  /** Returns how attempts ended, by their index in the list. */
  ends(steps: readonly (HeldKey & { attempt: number })[]): Promise<Map<number, AttemptEndRow>> {
    return attemptEnds(this.#engine.database, steps);
  }

  forget(steps: readonly HeldKey[]): Promise<void> {
    return forgetSteps(this.#engine.database, steps);
  }

  restartTimeout(step: HeldKey): Promise<void> {
    return restartTimeout(this.#engine.database, step);
  }

  /** Returns steps whose timeout has expired, and the milliseconds until the next one. */
  async due(): Promise<{ due: GivenStep[]; nextMs: number | null }> {
    const due = await dueSteps(this.#engine.database);
    return { due, nextMs: await nextDueMs(this.#engine.database) };
  }

  missing(list: HeartbeatList): Promise<HeldKey[]> {
    return missingSteps(this.#engine.database, list);
  }

  /** Ends the lease of a worker now. A sweep takes the steps that it holds. */
  signOff(id: number): Promise<void> {
    return signOff(this.#engine.database, id);
  }

  tidy(): Promise<void> {
    return tidyHttpWorkers(this.#engine.database);
  }
}

function tokenOf(workerId: number, request: number): number {
  return workerId * 2 ** 24 + request;
}
