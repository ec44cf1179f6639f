import { open } from 'node:fs/promises';

const NEWLINE = 10;
/** The number of bytes that are read between two checkpoints. */
const CHUNK = 8192;

/** A part of a file, as byte positions. */
interface Part {
  from: number;
  to: number;
}

/** Returns the number of rows of a file below its header. */
export async function countRows(file: string): Promise<number> {
  let rows = -1;
  for await (const _ of lineEnds(file)) rows++;
  return Math.max(0, rows);
}

/** Returns the byte position of every `size`-th row, and of the end of the last row. */
export async function positionsOfRows(file: string, size: number): Promise<number[]> {
  const positions: number[] = [];
  let rows = -1;
  let last = 0;
  for await (const end of lineEnds(file)) {
    rows++;
    last = end;
    if (rows % size === 0) positions.push(end);
  }
  if (positions.at(-1) !== last) positions.push(last);
  return positions;
}

/** Reads complete rows from the beginning of a part. Returns them and the position of the next row. */
export async function readRows(file: string, { from, to }: Part): Promise<{ rows: string[]; next: number }> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(CHUNK, to - from)), { position: from });
    const end = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE) + 1;
    if (end === 0) throw new Error(`${file}: no row ends within ${CHUNK} bytes after byte ${from}`);
    return { rows: buffer.toString('utf8', 0, end - 1).split('\n'), next: from + end };
  } finally {
    await handle.close();
  }
}

/** Returns the position of the end of each line. */
async function* lineEnds(file: string): AsyncGenerator<number> {
  const handle = await open(file);
  let offset = 0;
  for await (const chunk of handle.createReadStream()) {
    const bytes = chunk as Buffer;
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) yield offset + at + 1;
    offset += bytes.length;
  }
}
