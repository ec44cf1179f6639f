import type { Explanation, StepExplanation } from '../../app/why.ts';

/** The time without progress before the reason is shown, and the interval at which the reason is looked up again. */
const STALL_MS = 2_000;
/** Maximum number of reasons shown. */
const MOST_REASONS = 3;
/** Maximum number of step names in one reason. */
const MOST_NAMES = 3;

/** Options of {@link StallNotice}. */
export interface StallNoticeOptions {
  why: () => Promise<Explanation>;
  /** Receives the reasons, one per line. Empty once the task makes progress again. */
  show: (reasons: readonly string[]) => void;
}

/** Explains why a task makes no progress, after two seconds without progress. */
export class StallNotice {
  readonly #options: StallNoticeOptions;
  #timer: NodeJS.Timeout | undefined;
  /** Counts progress. A reason that was looked up before the last progress is out of date. */
  #movement = 0;

  constructor(options: StallNoticeOptions) {
    this.#options = options;
  }

  /** Call this after each change of the task. */
  moved(): void {
    this.#movement++;
    this.#options.show([]);
    this.#wait();
  }

  stop(): void {
    this.#movement++;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const movement = this.#movement;
    this.#timer = setTimeout(() => {
      void this.#explain(movement);
    }, STALL_MS);
  }

  async #explain(movement: number): Promise<void> {
    try {
      const reasons = reasonsOf(await this.#options.why());
      if (movement === this.#movement) this.#options.show(reasons);
    } catch {
      // The code that watches the task reports a lost database.
    }
    if (movement === this.#movement) this.#wait();
  }
}

/** Returns why steps that could run make no progress, grouped by reason. */
function reasonsOf({ steps, summary }: Explanation): string[] {
  const byReason = new Map<string, string[]>();
  for (const step of steps) {
    if (!couldMove(step)) continue;
    const others = byReason.get(step.why);
    if (others) others.push(step.step);
    else byReason.set(step.why, [step.step]);
  }
  if (byReason.size === 0) return [`the task ${summary}`];
  const reasons = [...byReason].map(([why, names]) => `${listed(names)} ${why}`);
  const more = reasons.length - MOST_REASONS;
  return more > 0
    ? [...reasons.slice(0, MOST_REASONS), `and ${more} more; \`npx tasker task why\` lists all`]
    : reasons;
}

/** Steps in these states can move, or need an action. */
const MOVABLE: ReadonlySet<string> = new Set(['enqueued', 'in_progress', 'waiting', 'waiting_for_retry', 'error']);

function couldMove({ state, waitsFor }: StepExplanation): boolean {
  if (MOVABLE.has(state)) return true;
  return state === 'pending' && waitsFor.length === 0;
}

function listed(names: readonly string[]): string {
  if (names.length <= MOST_NAMES) return names.join(', ');
  return `${names.slice(0, MOST_NAMES).join(', ')} and ${names.length - MOST_NAMES} more:`;
}
