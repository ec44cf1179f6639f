import { open } from 'node:fs/promises';

const NEWLINE = 10;
/** Bytes that are read at once: what a worker does between two saves. */
const CHUNK = 8192;

/** The part of a file from one place to another, in bytes. */
interface Part {
  from: number;
  to: number;
}

/** How many rows a file has below its heading. */
export async function countRows(file: string): Promise<number> {
  let rows = -1;
  for await (const _ of lineEnds(file)) rows++;
  return Math.max(0, rows);
}

/** Where every `size`-th row begins, counted in bytes, and where the last one ends. */
export async function placesOfRows(file: string, size: number): Promise<number[]> {
  const places: number[] = [];
  let rows = -1;
  let last = 0;
  for await (const end of lineEnds(file)) {
    rows++;
    last = end;
    if (rows % size === 0) places.push(end);
  }
  if (places.at(-1) !== last) places.push(last);
  return places;
}

/** The whole rows at the beginning of a part, as many as are read at once, and where the next one begins. */
export async function readRows(file: string, { from, to }: Part): Promise<{ rows: string[]; next: number }> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(CHUNK, to - from)), { position: from });
    const end = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE) + 1;
    if (end === 0) throw new Error(`${file}: no row ends within ${CHUNK} bytes from byte ${from}`);
    return { rows: buffer.toString('utf8', 0, end - 1).split('\n'), next: from + end };
  } finally {
    await handle.close();
  }
}

/** Where each line ends. */
async function* lineEnds(file: string): AsyncGenerator<number> {
  const handle = await open(file);
  let offset = 0;
  for await (const chunk of handle.createReadStream()) {
    const bytes = chunk as Buffer;
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) yield offset + at + 1;
    offset += bytes.length;
  }
}
