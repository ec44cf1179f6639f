/** A note of a process that delivers events; see event-worker.mjs. */
export interface EventNote {
  what: 'start' | 'handled';
  pid: number;
  /** A time from the clock that all processes of the machine share. */
  at: number;
  group: string;
  id: number;
  event: string;
  task: string;
  step: string;
  /** The run of the handler whose result is in the event. */
  run: string;
}

/** A step that is in the database at the end. It has one event. */
export interface Committed {
  task: string;
  step: string;
  run: string;
}

/** Returns the problems with the deliveries to groups, and the number of deliveries including repetitions. */
export function faultsOf(
  notes: readonly EventNote[],
  {
    committed,
    groups,
    steps,
  }: { committed: readonly Committed[]; groups: readonly string[]; steps: readonly string[] },
): { faults: string[]; handled: Record<string, number> } {
  const faults: string[] = [];
  const handled = Object.fromEntries(groups.map((group) => [group, 0]));
  const runs = new Map(committed.map(({ task, step, run }) => [`${task} ${step}`, run]));
  const first = { start: new Map<string, number>(), handled: new Map<string, number>() };
  for (const { what, group, task, step, run, at } of notes) {
    if (runs.get(`${task} ${step}`) !== run)
      faults.push(`${group} got ${task} ${step} of run ${run}, which was not committed`);
    if (what === 'handled') handled[group]!++;
    const key = `${group} ${task} ${step}`;
    const before = first[what].get(key);
    if (before === undefined || at < before) first[what].set(key, at);
  }
  for (const group of groups) {
    for (const { task, step } of committed) {
      const at = first.handled.get(`${group} ${task} ${step}`);
      if (at === undefined) faults.push(`${group} never got ${task} ${step}`);
      const next = steps[steps.indexOf(step) + 1];
      const begun = next === undefined ? undefined : first.start.get(`${group} ${task} ${next}`);
      if (at !== undefined && begun !== undefined && begun < at)
        faults.push(`${group} got ${task} ${next} before ${step} was handled`);
    }
  }
  return { faults, handled };
}
