import { oneLine, shownText, withoutColors } from '../../logging/terminal/shown-text.ts';
import type { Output } from '../this-run.ts';

/** The part of a terminal that {@link LiveScreen} uses. */
export type Terminal = Pick<Output, 'write' | 'columns' | 'rows'>;

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_BELOW = '\u001b[J';
const FRAME_MS = 100;
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** Lines at the bottom of a terminal, redrawn ten times a second. Printed lines scroll above them. */
export class LiveScreen {
  readonly #terminal: Terminal;
  readonly #frame: (spinner: string) => readonly string[];
  readonly #timer: NodeJS.Timeout;
  #height = 0;
  #turn = 0;

  constructor(terminal: Terminal, frame: (spinner: string) => readonly string[]) {
    this.#terminal = terminal;
    this.#frame = frame;
    this.#terminal.write(HIDE_CURSOR);
    process.once('exit', this.#showCursor);
    this.#timer = setInterval(() => this.draw(), FRAME_MS);
  }

  draw(): void {
    this.#turn = (this.#turn + 1) % SPINNER.length;
    const { columns = 80, rows = 24 } = this.#terminal;
    const all = this.#frame(SPINNER[this.#turn]!);
    // A block higher than the terminal could not be redrawn in place.
    const shown = all.length < rows ? all : [...all.slice(0, rows - 2), `… ${all.length - rows + 2} more lines`];
    const lines = shown.map((line) => cut(line, columns));
    this.#terminal.write(this.#back() + lines.map((line) => `${line}\n`).join(''));
    this.#height = lines.length;
  }

  /** Prints a line above the block. */
  print(line: string): void {
    this.#terminal.write(`${this.#back()}${shownText(line)}\n`);
    this.#height = 0;
    this.draw();
  }

  /** Draws the block one last time and leaves it on the screen. */
  end(): void {
    clearInterval(this.#timer);
    this.draw();
    process.off('exit', this.#showCursor);
    this.#showCursor();
  }

  /** Also runs on exit, so that a process that ends early does not leave the cursor hidden. */
  readonly #showCursor = () => void this.#terminal.write(SHOW_CURSOR);

  #back(): string {
    return `${this.#height > 0 ? `\u001b[${this.#height}A` : ''}\r${CLEAR_BELOW}`;
  }
}

/**
 * Cuts a line to the width of the terminal and escapes its control characters, because a block with wrapped lines could not be redrawn in place. A line
 * that is cut loses its colors.
 */
function cut(line: string, columns: number): string {
  const plain = [...withoutColors(oneLine(line))];
  return plain.length < columns ? shownText(oneLine(line)) : `${plain.slice(0, columns - 2).join('')}…`;
}
