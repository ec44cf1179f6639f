import { workerJson } from '../../app/json/acts.ts';
import type { Tasker } from '../../app/tasker.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted, fields, spanOf, table } from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

export type WorkerInfo = Awaited<ReturnType<Tasker['listWorkers']>>[number];
type WorkerDetails = Awaited<ReturnType<Tasker['getWorker']>>;

/** Options of `tasker worker list`. */
export interface WorkerListOptions extends GlobalOptions {
  namespace?: string[];
  state?: string[];
  all?: boolean;
}

const DAY_MS = 86_400_000;
/** Terminals with at least this many columns, and pipes, show where a worker runs. */
const WIDE = 120;
/** Maximum number of handlers, and of missing handlers, to name. */
const NAMED = 8;

/** `tasker worker list`: lists the workers of all processes, and the handlers that none of them has. */
export async function workerList(options: WorkerListOptions): Promise<void> {
  const { namespace, state, all, json } = options;
  await withTasker(options, {}, async (tasker) => {
    const states = state as readonly WorkerInfo['state'][] | undefined;
    const found = await tasker.listWorkers({ state: states, endedWithinMs: all ? DAY_MS : undefined });
    const workers = namespace ? found.filter((one) => one.namespaces.some((name) => namespace.includes(name))) : found;
    if (json) return printJson(workers.map(workerJson));
    if (workers.length === 0) return note(whyNone(options));
    print(workerTable(workers, { wide: (thisRun().stdout.columns ?? WIDE) >= WIDE }));
    for (const line of missingLines(workers)) note(line);
  });
}

function whyNone({ namespace, state, all }: WorkerListOptions): string {
  const filters = [
    ...(namespace === undefined ? [] : [`namespace ${namespace.join(' or ')}`]),
    ...(state === undefined ? [] : [`state ${state.join(' or ')}`]),
  ];
  if (filters.length > 0) return `no worker matches: ${filters.join(', ')}`;
  return `no worker is running, and none ended in the last ${all ? 'day' : 'hour'}; start one with \`npx tasker worker\``;
}

/** `tasker worker show`: shows one worker and the steps that it runs. */
export async function workerShow(name: string, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const worker = await tasker.getWorker(name);
    if (options.json) return printJson(workerJson(worker));
    print(detailsOf(worker));
    if (worker.steps.length > 0) print(`\n${stepTable(worker)}`);
    for (const line of missingLines([worker])) note(line);
  });
}

const PAINT: Record<WorkerInfo['state'], (text: string) => string> = {
  running: pc.green,
  draining: pc.yellow,
  drained: pc.yellow,
  lost: pc.red,
  stopped: pc.dim,
};

function workerTable(workers: readonly WorkerInfo[], { wide }: { wide: boolean }): string {
  const rows = workers.map((worker) => [
    worker.name,
    ...(wide ? [worker.host, String(worker.pid), worker.version ?? ''] : []),
    PAINT[worker.state](worker.state),
    slotsOf(worker),
    worker.oldestStepMs === null ? '' : spanOf(worker.oldestStepMs),
    rateOf(worker.completedPerSecond),
    rateOf(worker.failedPerSecond),
    worker.endedAt !== null || worker.loopLagMs === null ? '' : spanOf(worker.loopLagMs),
    worker.silentMs === null ? '' : spanOf(worker.silentMs),
    worker.namespaces.join(' '),
  ]);
  const where = wide ? ['host', 'pid', 'version'] : [];
  return table(
    ['worker', ...where, 'state', 'slots', 'oldest', 'done/s', 'failed/s', 'lag', 'seen', 'namespaces'],
    rows,
  );
}

function slotsOf({ endedAt, running, hung, concurrency }: WorkerInfo): string {
  if (endedAt === null) return `${running}/${concurrency}${hung ? pc.red(`, ${hung} hung`) : ''}`;
  return running === 0 ? '' : String(running);
}

function hungText({ hung }: WorkerInfo): string {
  return hung ? pc.red(`, ${hung} by handlers that did not stop when their attempt ended`) : '';
}

function rateOf(perSecond: number | null): string {
  if (perSecond === null) return '';
  if (perSecond === 0) return '0';
  if (perSecond < 0.1) return '<0.1';
  return perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}

function missingLines(workers: readonly WorkerInfo[]): string[] {
  const lines = new Set<string>();
  for (const { missingHandlers } of workers) {
    for (const { namespace, template, version, step, handler } of missingHandlers) {
      lines.add(
        `no live worker has handler ${handler}, which step ${step} of ${namespace}/${template}@${version} needs`,
      );
    }
  }
  const all = [...lines];
  if (all.length <= NAMED) return all;
  return [...all.slice(0, NAMED), `and ${all.length - NAMED} more; \`--json\` lists all of them`];
}

function detailsOf(worker: WorkerDetails): string {
  const { drain, completed, failed, completedPerSecond, failedPerSecond, loopLagMs, silentMs, endedAt } = worker;
  const asked = drain && `, asked by ${drain.by} ${ago(drain.requestedAt)}${drain.reason ? `: ${drain.reason}` : ''}`;
  const rates =
    completedPerSecond === null
      ? ''
      : `; ${rateOf(completedPerSecond)}/s and ${rateOf(failedPerSecond)}/s over the last minute`;
  return fields([
    ['worker', `${worker.name} (id ${worker.id})`],
    ['state', `${PAINT[worker.state](worker.state)}${asked ?? ''}`],
    ['process', `${worker.pid} on ${worker.host}${worker.version === null ? '' : `, version ${worker.version}`}`],
    ['namespaces', worker.namespaces.join(', ') || 'none yet'],
    ['handlers', namesOf(worker.handlers)],
    ['resolvers', worker.resolvers.length === 0 ? null : worker.resolvers.join(', ')],
    ['slots', endedAt === null ? `${worker.running} of ${worker.concurrency} taken${hungText(worker)}` : null],
    [
      'held',
      endedAt === null || worker.running === 0 ? null : `${counted(worker.running, 'step')} until a worker takes them`,
    ],
    [
      'attempts',
      completed === null
        ? null
        : `${thousands(completed)} completed and ${thousands(failed ?? 0)} failed since startup${rates}`,
    ],
    ['loop lag', endedAt !== null || loopLagMs === null ? null : spanOf(loopLagMs)],
    ['started', ago(worker.startedAt)],
    ['seen', silentMs === null ? null : `${spanOf(silentMs)} ago`],
    ['ended', endedAt === null ? null : ago(endedAt)],
  ]);
}

function namesOf(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return `${names.slice(0, NAMED).join(', ')}${more}`;
}

function thousands(count: number): string {
  return count.toLocaleString('en-US');
}

function ago(time: string): string {
  return `${spanOf(Date.now() - Date.parse(time))} ago`;
}

function stepTable({ steps }: WorkerDetails): string {
  const rows = steps.map((step) => [
    spanOf(step.ageMs),
    step.step,
    step.taskUuid,
    `${step.namespace}/${step.template}@${step.version}`,
    ...(step.handler === step.step ? [''] : [step.handler]),
    String(step.attempt),
  ]);
  return table(['running', 'step', 'task', 'template', 'handler', 'attempt'], rows);
}
