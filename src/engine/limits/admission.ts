import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import {
  addHolders,
  allLimits,
  changeLines,
  freeLines,
  heldLimits,
  type LimitRow,
  limitSets,
  lockQueueForWriting,
  moveRows,
  readLines,
  readPaces,
  savePaces,
  tryAdmitting,
} from '../../store/limits.ts';
import { PINNED_PLANS } from '../../store/planner.ts';
import type { TemplateStore } from '../template-store.ts';
import { choose, type ReadSet } from './choose.ts';
import { Rooms } from './rooms.ts';
import { sortSteps } from './sort.ts';

const ADMITTING = opening({
  ...PINNED_PLANS,
  statement_timeout: '30s',
  lock_timeout: '1s',
  idle_in_transaction_session_timeout: '30s',
});
/** Maximum number of steps that one transaction admits. */
const MOST_ADMITTED = 1_000;
/** Maximum number of lines of a set, and of steps of a line, that one transaction reads. */
const MOST_READ = 100;
/** Pause after an admission that another process has prevented. That process may not have seen a change of this one. */
const BUSY_MS = 20;
/** Longest time that the timer waits. The regular poll of the queue looks, too. */
const LONGEST_MS = 60_000;

/** The part of the engine that admissions need. */
interface AdmittingEngine {
  database: Database;
  templates: TemplateStore;
  announce: { admitted(rank: number): Promise<void> };
}

/** The result of one transaction. */
interface Pass {
  /** Whether another process is admitting. */
  busy: boolean;
  /** Whether more steps may have room. */
  more: boolean;
  /** Milliseconds until a limit with a rate has room. Null if none is full. */
  dueMs: number | null;
  /** The smallest rank of the steps that can be claimed now. Null if there are none. */
  rank: number | null;
}

const IDLE: Pass = { busy: false, more: false, dueMs: null, rank: null };

/**
 * Lets the ready steps of templates with limits start as soon as their limits have room. One process at a time does it, and
 * any process can: the one whose recording made room or made a step ready, or one that polls the queue.
 */
export class Admission {
  readonly #engine: AdmittingEngine;
  readonly #logger: Logger;
  #looking: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(engine: AdmittingEngine, logger: Logger) {
    this.#engine = engine;
    this.#logger = logger;
  }

  /** Admits steps soon. Call it after the commit of a change that made steps with limits ready, or made room. */
  wake(): void {
    void this.look();
  }

  /** Admits steps until no limit has room. Resolves when it is done. */
  look(): Promise<void> {
    this.#again = true;
    this.#looking ??= this.#run().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  /** Resolves when no admission is in progress. */
  async idle(): Promise<void> {
    await this.#looking;
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      const pass = await this.#pass();
      if (pass.rank !== null) await this.#engine.announce.admitted(pass.rank);
      if (pass.more) this.#again = true;
      if (pass.busy) this.#lookIn(BUSY_MS);
      else if (pass.dueMs !== null) this.#lookIn(pass.dueMs);
    }
  }

  async #pass(): Promise<Pass> {
    try {
      return await this.#engine.database.transaction(ADMITTING, (tx) => admit(tx, this.#engine.templates));
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'steps with limits not admitted; retrying');
      return { ...IDLE, busy: true };
    }
  }

  #lookIn(delayMs: number): void {
    const at = performance.now() + delayMs;
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    // A timer may fire a fraction of a millisecond early, and the clock of the database decides.
    const delay = Math.min(Math.max(1, Math.ceil(delayMs)), LONGEST_MS);
    this.#timer = setTimeout(() => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.wake();
    }, delay);
    this.#timer.unref();
  }
}

/** Sorts the steps that have become ready into lines, and admits the steps that have room. */
async function admit(tx: Db, templates: TemplateStore): Promise<Pass> {
  const turn = await tryAdmitting(tx);
  if (!turn) return { ...IDLE, busy: true };
  const limits = await allLimits(tx);
  if (limits.length === 0) return IDLE;
  await lockQueueForWriting(tx);
  const { nowMs } = turn;
  const held = await heldLimits(tx);
  await freeLines(
    tx,
    held.filter(({ freed }) => freed),
  );
  const sorted = await sortSteps({ tx, templates, limits, nowMs });
  const { sets, heldUntilMs } = await limitSets(tx);
  const rooms = new Rooms(limits, held, nowMs);
  const read: ReadSet[] = [];
  let fullUntilMs: number | null = null;
  let isCut = false;
  for (const set of sets) {
    const { lines, untilMs, cut } = await readSet({ tx, limits, rooms }, set);
    if (lines) read.push(lines);
    if (untilMs !== null) fullUntilMs = Math.min(fullUntilMs ?? untilMs, untilMs);
    isCut ||= cut;
  }
  const choice = choose(read, rooms, { most: MOST_ADMITTED, nowMs });
  const moves = [...choice.admitted.map(({ step, to }) => ({ ...step, to })), ...choice.leaving];
  if (moves.length > 0) await moveRows(tx, moves);
  if (choice.admitted.length > 0) {
    await addHolders(
      tx,
      choice.admitted.flatMap(({ step, keys, to }) =>
        keys.map((key) => ({
          ...key,
          taskUuid: step.taskUuid,
          idx: step.idx,
          attempt: step.attempts! + 1,
          part: to,
          rank: step.rank,
          queueId: step.id,
        })),
      ),
    );
  }
  const paces = rooms.changedPaces();
  if (paces.length > 0) await savePaces(tx, paces);
  await changeLines(tx, choice);
  const dues = [choice.dueMs, heldUntilMs, fullUntilMs, ...choice.changed.map((line) => line.heldUntilMs)];
  const due = dues.filter((at) => at !== null);
  const ranks = [sorted.rank, ...choice.admitted.map(({ step }) => step.rank)].filter((rank) => rank !== null);
  return {
    busy: false,
    more: sorted.more || choice.more || (isCut && moves.length + choice.changed.length > 0),
    dueMs: due.length === 0 ? null : Math.max(0, Math.min(...due) - nowMs),
    rank: ranks.length === 0 ? null : Math.min(...ranks),
  };
}

/** Reads the first lines of a set of limits, unless a limit without keys has no room. */
async function readSet(
  { tx, limits, rooms }: { tx: Db; limits: readonly LimitRow[]; rooms: Rooms },
  set: readonly number[],
): Promise<{ lines: ReadSet | undefined; untilMs: number | null; cut: boolean }> {
  const own = limits.filter(({ id }) => set.includes(id));
  const shared = own.filter(({ keyed }) => !keyed).map(({ id }) => ({ limitId: id, key: '' }));
  await addPaces(tx, rooms, shared);
  const full = shared.flatMap((key) => rooms.full(key) ?? []);
  if (full.length > 0) {
    const untils = full.map(({ untilMs }) => untilMs);
    return {
      lines: undefined,
      untilMs: untils.some((at) => at === null) ? null : Math.max(...untils.map(Number)),
      cut: false,
    };
  }
  const room = Math.min(MOST_ADMITTED, ...shared.map((key) => rooms.left(key)));
  const mostLines = Math.min(MOST_READ, 2 * room + 10);
  const most = Math.min(MOST_READ, room) + 1;
  const rows = await readLines(tx, { limits: set, lines: mostLines, steps: most });
  const byLine = new Map<number, typeof rows>();
  for (const row of rows) byLine.set(row.line, [...(byLine.get(row.line) ?? []), row]);
  const keyed = own.filter((limit) => limit.keyed);
  await addPaces(
    tx,
    rooms,
    [...byLine.values()].flatMap(([first]) =>
      keyed.map(({ id }) => ({ limitId: id, key: first!.keys[set.indexOf(id)]! })),
    ),
  );
  const lines = { limits: set, fair: own.some(({ fair }) => fair), lines: [...byLine.values()], most };
  return { lines, untilMs: null, cut: byLine.size === mostLines };
}

async function addPaces(tx: Db, rooms: Rooms, keys: readonly { limitId: number; key: string }[]): Promise<void> {
  const missing = rooms.withoutPace(keys);
  if (missing.length > 0) rooms.addPaces(missing, await readPaces(tx, missing));
}
