import { note } from './show/output.ts';
import { thisRun } from './this-run.ts';

/** A finished process exits by itself. If it still runs after this time, something in a handler keeps it alive. */
const PATIENCE_MS = 500;

/** Exits after a short wait, even if handlers left something open. Call this once all parts of tasker are stopped. */
export function leave(): void {
  const run = thisRun();
  if (!run.ownsProcess) return;
  setTimeout(() => {
    note('exiting although a handler left something open (a connection, a timer or an unsettled call)');
    process.exit(process.exitCode ?? run.exitCode);
  }, PATIENCE_MS).unref();
}
