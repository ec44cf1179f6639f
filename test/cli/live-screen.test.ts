import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LiveScreen } from '../../src/cli/show/live-screen.ts';
import { pc } from '../../src/logging/terminal/colors.ts';

/** A terminal with the features that the screen uses: text, line breaks, cursor up, clear below. */
class Screen {
  readonly columns = 20;
  readonly rows = 6;
  cursorShown = true;
  readonly #lines: string[] = [''];
  #row = 0;

  readonly write = (text: string): boolean => {
    for (const part of text.replaceAll('\u001b', '␛').split(/(␛\[[?\d]*[A-Za-z]|\n|\r)/)) this.#take(part);
    return true;
  };

  get lines(): string[] {
    return this.#lines.slice(0, -1);
  }

  #take(part: string): void {
    const up = /^␛\[(\d+)A$/.exec(part);
    if (up) this.#row -= Number(up[1]);
    else if (part === '␛[J') this.#lines.splice(this.#row, Number.POSITIVE_INFINITY, '');
    else if (part === '\n') {
      this.#row++;
      this.#lines[this.#row] ??= '';
    } else if (part === '␛[?25l' || part === '␛[?25h') this.cursorShown = part.endsWith('h');
    else if (part !== '' && part !== '\r') this.#lines[this.#row] += part;
  }
}

let terminal: Screen;
let frame: string[];
let screen: LiveScreen;

beforeEach(() => {
  vi.useFakeTimers();
  terminal = new Screen();
  frame = [];
  screen = new LiveScreen(terminal, (spinner) => frame.map((line) => line.replace('*', spinner)));
});

afterEach(() => {
  screen.end();
  vi.useRealTimers();
});

it('a live screen redraws its lines in place, and clears lines that are no longer needed', () => {
  vi.advanceTimersByTime(500);
  expect(terminal.lines).toEqual([]);
  frame = ['one', 'two', 'three'];
  vi.advanceTimersByTime(1000);
  expect(terminal.lines).toEqual(['one', 'two', 'three']);
  frame = ['four'];
  vi.advanceTimersByTime(100);
  expect(terminal.lines).toEqual(['four']);
});

it('a live screen advances its spinner', () => {
  frame = ['*'];
  const seen = new Set<string>();
  for (let i = 0; i < 10; i++) {
    vi.advanceTimersByTime(100);
    seen.add(terminal.lines[0]!);
  }
  expect(seen.size).toBe(10);
});

it('a live screen prints permanent lines above its block', () => {
  frame = ['block'];
  screen.draw();
  screen.print('first');
  screen.print('second');
  vi.advanceTimersByTime(300);
  expect(terminal.lines).toEqual(['first', 'second', 'block']);
});

it('a live screen cuts lines that would wrap and blocks that would not fit', () => {
  frame = [pc.red('x').repeat(30), ...Array.from({ length: 20 }, (_, i) => String(i))];
  vi.advanceTimersByTime(300);
  expect(terminal.lines).toEqual([`${'x'.repeat(18)}…`, '0', '1', '2', '… 17 more lines']);
});

it('a live screen escapes the control characters of its lines, so that they cannot move its cursor', () => {
  frame = ['a\u001b[9Ab', 'c\nd'];
  screen.draw();
  screen.print('e\u001b[2J');
  expect(terminal.lines).toEqual(['e\\u001b[2J', 'a\\u001b[9Ab', 'c\\nd']);
});

it('a live screen hides the cursor, and shows it again when it ends', () => {
  expect(terminal.cursorShown).toBe(false);
  screen.end();
  expect(terminal.cursorShown).toBe(true);
});
