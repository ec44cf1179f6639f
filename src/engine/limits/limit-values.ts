import { perSecond } from '../../model/rate.ts';
import type { LimitValues } from '../../store/limits.ts';
import type { LimitConfig, TaskTemplate } from '../../template/task-template.ts';

/** Without a burst, as many starts may follow each other at once as the rate permits in this number of seconds. */
const BURST_SECONDS = 0.1;

/** Returns the limits of a template that its steps name. */
export function limitValuesOf({ limits, steps }: TaskTemplate): LimitValues[] {
  const used = new Set(steps.flatMap((step) => step.limits ?? []));
  return Object.entries(limits ?? {})
    .filter(([name]) => used.has(name))
    .map(([name, limit]) => ({ name, ...valuesOf(limit) }));
}

function valuesOf({ concurrent, rate, burst, key, fair }: LimitConfig): Omit<LimitValues, 'name'> {
  const starts = rate === null ? null : (perSecond(rate) ?? null);
  return {
    concurrent,
    rate: starts,
    burst: burst ?? Math.max(1, Math.ceil((starts ?? 0) * BURST_SECONDS)),
    keyed: key !== null,
    fair: fair ?? false,
  };
}
