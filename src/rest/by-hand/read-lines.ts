import { TextDecoder } from 'node:util';

/** A line of a request, by its number from 1. Null if it is too long, or is not UTF-8. */
export interface Line {
  number: number;
  text: string | null;
  bytes: number;
}

const NEWLINE = 10;

/**
 * Yields the lines of a body, in portions as they arrive. Keeps at most one line in memory, and skips the rest of a
 * line that is longer than `longest` bytes. Omits empty lines, but counts them.
 */
export async function* readLines(body: ReadableStream<Uint8Array>, longest: number): AsyncGenerator<Line[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let parts: Uint8Array[] = [];
  let bytes = 0;
  let number = 0;
  const add = (part: Uint8Array) => {
    bytes += part.length;
    if (bytes <= longest) parts.push(part);
    else parts = [];
  };
  const lineOf = (): Line[] => {
    number++;
    const line = { number, bytes, text: bytes > longest ? null : textOf(decoder, parts) };
    parts = [];
    bytes = 0;
    return line.text?.trim() === '' ? [] : [line];
  };
  for await (const block of body) {
    const lines: Line[] = [];
    let from = 0;
    for (let end = block.indexOf(NEWLINE); end !== -1; end = block.indexOf(NEWLINE, from)) {
      add(block.subarray(from, end));
      lines.push(...lineOf());
      from = end + 1;
    }
    // A copy, so that a part of a line does not keep its whole block in memory.
    if (from < block.length) add(block.slice(from));
    if (lines.length > 0) yield lines;
  }
  if (bytes > 0) yield lineOf();
}

function textOf(decoder: TextDecoder, parts: readonly Uint8Array[]): string | null {
  try {
    return decoder.decode(parts.length === 1 ? parts[0] : Buffer.concat(parts));
  } catch {
    return null;
  }
}
