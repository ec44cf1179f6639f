import type { Numbers, StepAnalytics } from './numbers.ts';

/** With fewer attempts than this, the numbers mean little. */
const ENOUGH = 20;
const MOST = 10;

/** Returns suggestions for the operator that follow from the numbers, most urgent first. */
export function recommend({ steps, slowSteps, open }: Pick<Numbers, 'steps' | 'slowSteps' | 'open'>): string[] {
  const found: string[] = [];
  if (open && open.blocked > 0) {
    const blocked =
      open.blocked === 1 && open.totalIsExact
        ? '1 open task is'
        : `${open.blocked}${open.totalIsExact ? '' : '+'} open tasks are`;
    found.push(`${blocked} blocked by a failure: \`tasker task summary\` shows the causes`);
  }
  for (const one of slowSteps) {
    if (one.gaveUp >= 1 && one.attempts >= ENOUGH && (one.errorRate ?? 0) >= 0.1) {
      found.push(
        `${percent(one.errorRate)} of the attempts of ${nameOf(one)} fail, and ${one.gaveUp === 1 ? 'a step' : `${one.gaveUp} steps`} gave up`,
      );
    } else if (one.attempts >= ENOUGH && (one.errorRate ?? 0) >= 0.1) {
      found.push(`${percent(one.errorRate)} of the attempts of ${nameOf(one)} fail and are retried`);
    }
    if (one.lost >= 3) found.push(`${one.lost} attempts of ${nameOf(one)} were lost with their worker`);
  }
  const { p95Ms: queued } = steps.queueing;
  const { p95Ms: ran } = steps.duration;
  if (queued !== null && ran !== null && steps.attempts >= ENOUGH && queued > 1000 && queued > ran) {
    found.push('steps wait longer than they run: more workers, or more slots, would shorten tasks');
  }
  const [first] = [...slowSteps].sort((a, b) => (b.shareOfTime ?? 0) - (a.shareOfTime ?? 0));
  if (first && slowSteps.length > 1 && first.attempts >= ENOUGH && (first.shareOfTime ?? 0) >= 0.5) {
    found.push(`${percent(first.shareOfTime)} of the time is spent in ${nameOf(first)}`);
  }
  return found.slice(0, MOST);
}

function percent(part: number | null): string {
  return `${Math.round((part ?? 0) * 100)} %`;
}

function nameOf({ namespace, name, step }: StepAnalytics): string {
  return `${step} of ${namespace}/${name}`;
}
