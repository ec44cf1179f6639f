// The CPU time that processes on this machine have used, such as a PostgreSQL server, from /proc.
import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time in ticks of 10 ms. */
const US_PER_TICK = 10_000;

/** Indexes of fields of /proc/PID/stat after the program's name, which may contain spaces. */
function statOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

const parentOf = (stat) => Number(stat[1]);
const own = (stat) => Number(stat[11]) + Number(stat[12]);
const ofEndedChildren = (stat) => Number(stat[13]) + Number(stat[14]);

/** Returns the CPU time, in microseconds, that a process without children has used so far. NaN if there is no /proc. */
export function processCpu(pid) {
  try {
    return own(statOf(pid)) * US_PER_TICK;
  } catch {
    return Number.NaN;
  }
}

/**
 * Returns a function that returns the CPU time, in microseconds, that the server of a connection and all its processes
 * have used so far. The function returns NaN if the server is on another machine.
 */
export async function serverCpu(client) {
  const { rows } = await client.query('select pg_backend_pid() pid');
  let postmaster;
  try {
    if (!readFileSync(`/proc/${rows[0].pid}/cmdline`, 'utf8').startsWith('postgres')) return () => Number.NaN;
    postmaster = parentOf(statOf(rows[0].pid));
  } catch {
    return () => Number.NaN;
  }
  return () => {
    const stat = statOf(postmaster);
    let ticks = own(stat) + ofEndedChildren(stat);
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid)) continue;
      try {
        const child = statOf(pid);
        if (parentOf(child) === postmaster) ticks += own(child);
      } catch {
        // The process has ended since the folder was listed. Its time is now included in that of the postmaster.
      }
    }
    return ticks * US_PER_TICK;
  };
}
