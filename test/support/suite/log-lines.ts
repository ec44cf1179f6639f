import fs from 'node:fs';

const STANDARD_ERROR = 2;
const write = fs.writeSync as (file: number, data: string | Uint8Array, ...rest: unknown[]) => number;

// The logger writes directly to standard error, not through the console. If the lines go through the console, vitest
// knows the test of each line, and can show only the lines of failed tests.
fs.writeSync = ((file: number, data: string | Uint8Array, ...rest: unknown[]) => {
  if (file !== STANDARD_ERROR) return write(file, data, ...rest);
  console.error(String(data).trimEnd());
  return Buffer.byteLength(data);
}) as typeof fs.writeSync;
