/** One line on a terminal that tells how far something has come; nothing where there is no terminal. */
export class ProgressLine {
  readonly #isTerminal = process.stderr.isTTY;

  show(text: string, share: number): void {
    if (this.#isTerminal) process.stderr.write(`\r\x1b[K${Math.round(share * 100)} % ${text}`);
  }

  clear(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[K');
  }
}
