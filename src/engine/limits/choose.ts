import type { ChangedLine, LimitKey, LineStep } from '../../store/limits.ts';
import { limitedPartOf } from '../../store/queue-id.ts';
import type { Rooms } from './rooms.ts';

/** Lines of steps with the same limits, as they were read. */
export interface ReadSet {
  limits: readonly number[];
  /** Whether its keys take turns. */
  fair: boolean;
  /** The steps of each line, in the order of the queue. A line may have more. */
  lines: readonly (readonly LineStep[])[];
  /** Maximum number of steps that were read from a line. */
  most: number;
}

/** A step that an admission lets start. */
export interface Admitted {
  step: LineStep;
  keys: LimitKey[];
  /** The part of the queue from which it can be claimed. */
  to: number;
}

/** The result of {@link choose}. */
export interface Choice {
  admitted: Admitted[];
  /** Steps that leave their line: to another part of the queue, or because they are not ready any more (null). */
  leaving: (LineStep & { to: number | null })[];
  changed: ChangedLine[];
  empty: number[];
  /** When the limit of a set has room again. Null if no limit with a rate is full. */
  dueMs: number | null;
  /** Whether a line may have more steps for which there is room. */
  more: boolean;
}

interface Line {
  set: ReadSet;
  steps: readonly LineStep[];
  next: number;
  served: boolean;
  heldBy: (LimitKey & { untilMs: number | null }) | undefined;
}

/**
 * Chooses the steps that may start: by priority and in the order of the queue, or one of each line in turn. A step with
 * several limits gets all or none. Lines whose first step has no room are skipped.
 */
export function choose(
  sets: readonly ReadSet[],
  rooms: Rooms,
  { most, nowMs }: { most: number; nowMs: number },
): Choice {
  const choice: Choice = { admitted: [], leaving: [], changed: [], empty: [], dueMs: null, more: false };
  for (const group of sharing(sets)) {
    const full = new Set<ReadSet>();
    const lines = group.flatMap((set) =>
      set.lines.map((steps): Line => ({ set, steps, next: 0, served: false, heldBy: undefined })),
    );
    for (const line of inTurn(
      lines,
      group.some(({ fair }) => fair),
    )) {
      if (choice.admitted.length >= most) {
        choice.more = true;
        break;
      }
      if (full.has(line.set) || line.heldBy) continue;
      if (!admitNext(line, rooms, choice)) full.add(line.set);
    }
    for (const line of lines) noteLine(line, choice, { nowMs, isFull: full.has(line.set) });
  }
  return choice;
}

/** Admits the next step of a line, if it has room. Returns false if a limit without keys has none. */
function admitNext(line: Line, rooms: Rooms, choice: Choice): boolean {
  const step = line.steps[line.next]!;
  // The parts of paused and withheld steps are negative.
  if (step.attempts === null || step.placeInQueue < 0) {
    choice.leaving.push({ ...step, to: step.attempts === null ? null : step.placeInQueue });
    line.next++;
    return true;
  }
  const keys = line.set.limits.map((limitId, i): LimitKey => ({ limitId, key: step.keys[i]! }));
  for (const key of keys) {
    const full = rooms.full(key);
    if (!full) continue;
    if (key.key !== '') {
      line.heldBy = { ...key, ...full };
      return true;
    }
    if (full.untilMs !== null) choice.dueMs = Math.min(choice.dueMs ?? full.untilMs, full.untilMs);
    return false;
  }
  for (const key of keys) rooms.take(key);
  choice.admitted.push({ step, keys, to: step.placeInQueue - limitedPartOf(0) });
  line.served = true;
  line.next++;
  return true;
}

/** Notes the new place of a line, or that it is empty. */
function noteLine(line: Line, choice: Choice, { nowMs, isFull }: { nowMs: number; isFull: boolean }): void {
  const { set, steps, next, heldBy, served } = line;
  const first = steps[0]!;
  const isRead = next === steps.length;
  if (isRead && steps.length < set.most) {
    choice.empty.push(first.line);
    return;
  }
  if (isRead && !isFull) choice.more = true;
  if (next === 0 && !heldBy) return;
  const head = steps[next] ?? steps.at(-1)!;
  const place = set.fair
    ? { rank: 0, place: served ? Math.floor(nowMs) * 1_000 + choice.changed.length : first.place }
    : { rank: head.rank, place: head.id };
  choice.changed.push({
    id: first.line,
    ...place,
    heldBy: heldBy?.limitId ?? null,
    heldKey: heldBy?.key ?? null,
    heldUntilMs: heldBy?.untilMs ?? null,
  });
}

/** Yields each line once for each of its steps, in the order in which the steps may start. */
function* inTurn(lines: readonly Line[], fair: boolean): Generator<Line> {
  if (!fair) {
    const all = lines.flatMap((line) => line.steps.map((step) => ({ line, step })));
    all.sort((a, b) => a.step.rank - b.step.rank || a.step.id - b.step.id);
    for (const { line } of all) yield line;
    return;
  }
  const longest = Math.max(0, ...lines.map(({ steps }) => steps.length));
  for (let turn = 0; turn < longest; turn++) {
    for (const line of lines) if (turn < line.steps.length) yield line;
  }
}

/** Groups the sets that share a limit, because their steps compete for its room. */
function sharing(sets: readonly ReadSet[]): ReadSet[][] {
  let groups: ReadSet[][] = [];
  for (const set of sets) {
    const shares = (group: readonly ReadSet[]) =>
      group.some(({ limits }) => limits.some((limit) => set.limits.includes(limit)));
    groups = [...groups.filter((group) => !shares(group)), [...groups.filter(shares).flat(), set]];
  }
  return groups;
}
