// Processes orders from a file, one JSON object per line, one after the other. Usage: node script.mjs < orders.jsonl
import { createInterface } from 'node:readline';
import { isTaskerError } from 'tasker-core';
import { openOrders } from './orders.mjs';

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

const orders = await openOrders();
const lines = createInterface({ input: process.stdin, signal: stop.signal });
try {
  for await (const line of lines) {
    const { id } = await orders.take(JSON.parse(line));
    const { status, confirmation } = await orders.outcome(id, { signal: stop.signal });
    console.log(confirmation ?? `${line}: ${status}`);
  }
} catch (error) {
  if (!stop.signal.aborted) {
    console.error(isTaskerError(error) ? error.message : error);
    process.exitCode = 1;
  }
} finally {
  lines.close(); // reading standard input keeps the process alive
  await orders.close();
}
console.log('closed');
