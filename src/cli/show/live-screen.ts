import { stripVTControlCharacters } from 'node:util';

/** The part of a terminal that is used. */
export type Terminal = Pick<NodeJS.WriteStream, 'write' | 'columns' | 'rows'>;

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_BELOW = '\u001b[J';
const FRAME_MS = 100;
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** Lines at the bottom of a terminal that are drawn anew ten times a second; what is printed scrolls above them. */
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
    // A block that is higher than the terminal could not be drawn over.
    const shown = all.length < rows ? all : [...all.slice(0, rows - 2), `… ${all.length - rows + 2} more lines`];
    const lines = shown.map((line) => cut(line, columns));
    this.#terminal.write(this.#back() + lines.map((line) => `${line}\n`).join(''));
    this.#height = lines.length;
  }

  /** Puts a line above the block, where it stays. */
  print(line: string): void {
    this.#terminal.write(`${this.#back()}${line}\n`);
    this.#height = 0;
    this.draw();
  }

  /** Draws a last time and leaves it standing. */
  end(): void {
    clearInterval(this.#timer);
    this.draw();
    process.off('exit', this.#showCursor);
    this.#showCursor();
  }

  /** A terminal without a cursor would be left to whoever ends us at once. */
  readonly #showCursor = () => void this.#terminal.write(SHOW_CURSOR);

  #back(): string {
    return `${this.#height > 0 ? `\u001b[${this.#height}A` : ''}\r${CLEAR_BELOW}`;
  }
}

/** A line that wrapped would take two rows, and the block could not be drawn over. Colours go with the rest. */
function cut(line: string, columns: number): string {
  const plain = [...stripVTControlCharacters(line)];
  return plain.length < columns ? line : `${plain.slice(0, columns - 2).join('')}…`;
}
