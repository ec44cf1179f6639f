// Counts units in the processes and threads that tests start, which run the build. A test may kill them, so each unit is
// written to disk the first time it executes.
import { appendFileSync, readFileSync } from 'node:fs';

const folder = new URL('../../.mutants/hits/', import.meta.url);
const seen = new Set();

globalThis.__countUnit ??= (unit) => {
  if (seen.has(unit)) return;
  seen.add(unit);
  try {
    const owner = readFileSync(new URL('owner', folder), 'utf8');
    if (owner) appendFileSync(new URL(owner, folder), `${unit}\n`);
  } catch {
    // The build runs outside a lane, or the lane has been removed.
  }
};
