import { note } from './show/output.ts';

/** A finished program ends by itself; if it does not, something in the handlers holds it. */
const PATIENCE_MS = 500;

/** Sees to it that the process ends, once everything of ours is stopped, whatever handlers have left open. */
export function leave(): void {
  setTimeout(() => {
    note('handlers left something open (a connection, a timer, a call that does not settle); ended anyway');
    process.exit(process.exitCode ?? 0);
  }, PATIENCE_MS).unref();
}
