import { note, redrawLine } from '../show/output.ts';
import { timeLeft } from '../show/text.ts';
import { thisRun } from '../this-run.ts';

/** The progress of a bulk action. */
export interface ShownProgress {
  id: number;
  /** Null if not counted. */
  matched: number | null;
  done: number;
  skipped: number;
  failed: number;
}

const WIDTH = 24;
/** Time between two lines, if the output is not a terminal. */
const LINE_MS = 10_000;

/** A line of progress: redrawn in place on a terminal, or written periodically to a log. */
export class ProgressBar {
  #startedAt = performance.now();
  #before = 0;
  #lineAt = performance.now();
  /** The last progress that was shown. */
  last: ShownProgress | undefined;

  show(progress: ShownProgress): void {
    const over = progress.done + progress.skipped + progress.failed;
    if (!this.last) {
      this.#startedAt = performance.now();
      this.#before = over;
    }
    this.last = progress;
    if (thisRun().stderr.isTTY) redrawLine(this.#line(progress, over));
    else if (performance.now() - this.#lineAt > LINE_MS) {
      this.#lineAt = performance.now();
      note(progress.matched === null ? `${over} so far` : `${over} of ${progress.matched}`);
    }
  }

  #line({ matched, skipped, failed }: ShownProgress, over: number): string {
    if (matched === null) return `${over} so far`;
    const share = matched === 0 ? 1 : over / matched;
    const full = Math.round(share * WIDTH);
    const rate = (over - this.#before) / Math.max(0.001, (performance.now() - this.#startedAt) / 1000);
    const left = rate > 0 && over < matched ? `  ${timeLeft(Math.ceil((matched - over) / rate) * 1000)} left` : '';
    const rest = [skipped > 0 ? `  ${skipped} skipped` : '', failed > 0 ? `  ${failed} failed` : ''].join('');
    return `${'█'.repeat(full)}${'░'.repeat(WIDTH - full)}  ${over} of ${matched}${rest}${left}`;
  }

  clear(): void {
    redrawLine('');
  }
}
