import fs from 'node:fs';

const STANDARD_ERROR = 2;
const write = fs.writeSync as (file: number, data: string | Uint8Array, ...rest: unknown[]) => number;

// The logger writes to the file of standard error, past the console. Through the console, vitest knows the test of each
// line, and shows the lines of failed tests only.
fs.writeSync = ((file: number, data: string | Uint8Array, ...rest: unknown[]) => {
  if (file !== STANDARD_ERROR) return write(file, data, ...rest);
  console.error(String(data).trimEnd());
  return Buffer.byteLength(data);
}) as typeof fs.writeSync;
