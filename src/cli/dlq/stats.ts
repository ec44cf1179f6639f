import { snakeKeys } from '../../app/json/views.ts';
import type { DeadLetterStats } from '../../app/operator-types.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { painted, signOf, spanOf, table } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

interface DlqStatsOptions extends GlobalOptions {
  namespace?: string;
  name?: string;
  addedAfter?: string;
}

/** `tasker dlq stats`: counts dead letters by reason. */
export async function dlqStats({ namespace, name, addedAfter, ...options }: DlqStatsOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const stats = await tasker.deadLetters.stats({ namespace, name, addedAfter });
    if (options.json) return printJson(stats.map(snakeKeys));
    if (stats.length === 0) return note('no dead letters');
    const now = Date.now();
    const header = ['reason', 'open', 'new', 'oldest', 'resolved', 'failed', 'cancelled', 'avg time'];
    print(
      table(
        header,
        stats.map((row) => rowOf(row, now)),
      ),
    );
  });
}

function rowOf(row: DeadLetterStats, now: number): string[] {
  const { dlqReason, pending, unassigned, oldestPending, avgResolutionTimeMinutes } = row;
  const closed = [row.manuallyResolved, row.permanentFailures, row.cancelled];
  return [
    dlqReason,
    pending === 0 ? '0' : pc.red(String(pending)),
    String(unassigned),
    oldestPending === null ? pc.dim('-') : spanOf(now - Date.parse(oldestPending)),
    ...closed.map(String),
    avgResolutionTimeMinutes === null ? pc.dim('-') : spanOf(avgResolutionTimeMinutes * 60_000),
  ];
}

const HEALTH = { stale: 'error', warning: 'waiting_for_retry', healthy: 'complete' } as const;

/** `tasker dlq staleness`: lists open tasks with limits. Tasks closest to exceeding a limit come first. */
export async function dlqStaleness({ limit, ...options }: GlobalOptions & { limit: number }): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const tasks = await tasker.deadLetters.staleness({ limit });
    if (options.json) return printJson(tasks.map(snakeKeys));
    if (tasks.length === 0) return note('no open task has a limit; templates set limits in `lifecycle`');
    const rows = tasks.map((task) => [
      `${signOf(HEALTH[task.healthStatus])} ${task.taskUuid}`,
      `${task.namespaceName}/${task.taskName}`,
      painted(task.currentState),
      painted(HEALTH[task.healthStatus], task.healthStatus),
      spanOf(task.timeInStateMinutes * 60_000),
      spanOf(task.taskAgeMinutes * 60_000),
      `${task.rule} ${task.stalenessThresholdMinutes}`,
    ]);
    print(table(['  task', 'template', 'status', 'health', 'unmoved', 'age', 'limit'], rows));
  });
}
