import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { loadConfig } from '../../config/load-config.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { ProgressBar } from '../bulk/progress-bar.ts';
import { confirmed } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted, painted, sizeOf, table } from '../show/text.ts';
import { listenForStop } from '../stop-signal.ts';
import { here, inFolder, thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

type PruneAct = ReturnType<Tasker['prune']>;
type Preview = Awaited<ReturnType<PruneAct['preview']>>;
type Report = Awaited<ReturnType<PruneAct['result']>>;

/** Options of `tasker db prune`. */
export interface DbPruneOptions extends GlobalOptions, OperatorFlags {
  olderThan: string;
  status?: string[];
  namespace?: string;
  name?: string;
  templateVersion?: string;
  /** False means `--no-archive`. */
  archive?: string | boolean;
  releaseKeys?: boolean;
  share?: number;
  dryRun?: boolean;
  yes?: boolean;
}

/** `tasker db prune`: deletes tasks that ended long ago. */
export async function dbPrune(options: DbPruneOptions): Promise<void> {
  const stop = listenForStop();
  try {
    await withTasker(options, {}, async (tasker) => {
      const kept = keepingOf(options);
      const act = start(tasker, { options, kept, signal: stop.signal });
      // Counting reads all ended tasks, so it is skipped if there is neither a question nor a terminal to show progress on.
      if (options.dryRun || !options.yes || thisRun().stderr.isTTY) {
        const preview = await act.preview();
        stop.signal.throwIfAborted();
        if (options.dryRun) return dryRun(preview, kept, options);
        if (preview.matched === 0 && !options.json) return note(describePreview(preview, kept));
        if (!options.yes && !(await agreed(preview, kept))) return note('nothing done');
      }
      await work(act, options, stop.signal);
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    note('stopped before anything was deleted');
    thisRun().exitCode = EXIT.interrupted;
  } finally {
    stop.release();
  }
}

/** The parts of the tasks that a prune keeps. */
interface Kept {
  archive: string | undefined;
  releaseKeys: boolean;
}

/** Applies the archive settings of the configured policy, so that no task is deleted without the required archive. */
function keepingOf({ archive, releaseKeys }: DbPruneOptions): Kept {
  const { config } = loadConfig(here());
  const folder = typeof archive === 'string' ? archive : archive === false ? undefined : config.retentionArchive;
  return { archive: folder, releaseKeys: releaseKeys ?? config.retentionReleaseKeys };
}

function start(
  tasker: Tasker,
  { options, kept, signal }: { options: DbPruneOptions; kept: Kept; signal: AbortSignal },
): PruneAct {
  const { olderThan, status, namespace, name, templateVersion, share } = options;
  const filter = {
    olderThan,
    ...(status !== undefined && { status }),
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
    ...(templateVersion !== undefined && { templateVersion }),
  };
  const archive = kept.archive && inFolder(kept.archive);
  return tasker.prune(filter, { ...kept, archive, share, signal, ...operatorFrom(options) });
}

function dryRun(preview: Preview, kept: Kept, { json }: DbPruneOptions): void {
  if (!json) print(describePreview(preview, kept));
  else
    printJson({
      dry_run: true,
      ...snakeKeys({ ...preview, groups: preview.groups.map(snakeKeys) }),
      archive: kept.archive ?? null,
      release_keys: kept.releaseKeys,
    });
}

async function agreed(preview: Preview, kept: Kept): Promise<boolean> {
  if (preview.matched === 0) return true;
  if (thisRun().stdin.isTTY) note(`${describePreview(preview, kept)}\n`);
  const how = kept.archive === undefined ? ' without an archive' : '';
  return confirmed(`delete ${counted(preview.matched, 'task')}${how}?`);
}

const NOTHING_FOUND = 'no task ended long enough ago';

function describePreview({ matched, groups, bytes }: Preview, { archive, releaseKeys }: Kept): string {
  if (matched === 0) return NOTHING_FOUND;
  const free = bytes > 0 ? `about ${sizeOf(bytes)} for other tasks` : 'free for other tasks';
  const identities = releaseKeys
    ? 'released: a repeated request creates a new task'
    : 'kept: a repeated request is a conflict; --release-keys releases them';
  return [
    `would delete ${counted(matched, 'task')} with their steps, results and history`,
    '',
    ...groupTable(groups),
    '',
    `archive     ${archive ?? pc.yellow('none; --archive FOLDER keeps a copy')}`,
    `identities  ${identities}`,
    `space       ${free}; \`npx tasker db compact\` returns it`,
  ].join('\n');
}

/** The columns of the states in which a task has ended. */
const STATES = ['complete', 'error', 'cancelled', 'resolved_manually', 'undone'];
const LISTED = 15;

/** One line for each template, with all its versions. Only states that occur have a column. */
function groupTable(groups: Preview['groups']): string[] {
  const states = STATES.filter((state) => groups.some((group) => group.state === state));
  const byTemplate = new Map<string, Preview['groups']>();
  for (const group of groups) {
    const name = group.template.split('@')[0]!;
    byTemplate.set(name, [...(byTemplate.get(name) ?? []), group]);
  }
  const tasksOf = (some: Preview['groups']) => some.reduce((sum, { count }) => sum + count, 0);
  const sorted = [...byTemplate].sort(([, a], [, b]) => tasksOf(b) - tasksOf(a));
  const rows = sorted.slice(0, LISTED).map(([name, some]) => [
    name,
    String(tasksOf(some)),
    ...states.map((state) => painted(state, String(tasksOf(some.filter((group) => group.state === state)) || ''))),
    day(some.map(({ oldest }) => oldest).sort()[0]!),
    day(
      some
        .map(({ newest }) => newest)
        .sort()
        .at(-1)!,
    ),
  ]);
  const heads = states.map((state) => (state === 'resolved_manually' ? 'resolved' : state));
  const rest = sorted.slice(LISTED).flatMap(([, some]) => some);
  const more = `… and ${counted(sorted.length - LISTED, 'more template')} with ${counted(tasksOf(rest), 'task')}`;
  return [
    table(['template', 'tasks', ...heads, 'first ended', 'last ended'], rows),
    ...(rest.length > 0 ? [pc.dim(more)] : []),
  ];
}

function day(time: string): string {
  return time.slice(0, 10);
}

/** After this time without progress, the prune probably waits for another one. */
const WAITING_MS = 2_000;

async function work(act: PruneAct, { json }: DbPruneOptions, stop: AbortSignal): Promise<void> {
  const bar = new ProgressBar();
  const waiting = setTimeout(
    () => note('waiting for another prune, which has just ended or was killed; at most 30 s'),
    WAITING_MS,
  );
  try {
    for await (const { id, matched, deleted, skipped, failed } of act) {
      clearTimeout(waiting);
      bar.show({ id: id ?? 0, matched, done: deleted, skipped, failed });
    }
  } catch (error) {
    bar.clear();
    if (!stop.aborted) throw error;
    const { done = 0, matched = null } = bar.last ?? {};
    note(`stopped after ${done}${matched === null ? ' tasks' : ` of ${matched}`}; the same command continues`);
    thisRun().exitCode = EXIT.interrupted;
    return;
  } finally {
    clearTimeout(waiting);
  }
  bar.clear();
  const report = await act.result();
  const found = report.deleted + report.skipped + report.failed;
  const matched = report.matched ?? found;
  if (json) printJson({ ...snakeKeys({ ...report, matched }), failures: report.failures.map(snakeKeys) });
  else if (found === 0) note(NOTHING_FOUND);
  else print(describeReport(report));
  if (report.failed > 0) thisRun().exitCode = EXIT.failed;
}

const REASONS: Record<keyof Report['reasons'], string> = {
  dead_letter: 'in the dead letters; resolve them first',
  undelivered_events:
    'a subscriber group has not received all their events, or has abandoned some; see `npx tasker event groups`',
  locked: 'locked by another transaction; the same command tries again',
  changed: 'run again in the meantime',
  parent_open: 'child tasks whose root task has not ended, or whose end has not been delivered',
  too_large: 'too large for an archive; pass --no-archive to delete them without one',
};

function describeReport({ id, deleted, skipped, reasons, failed, failures, files, warnings }: Report): string {
  const lines = [`deleted ${counted(deleted, 'task')} (prune ${id})`];
  for (const file of files) lines.push(`archived in ${file}`);
  if (skipped > 0) lines.push('', `${skipped} skipped:`);
  for (const [why, count] of Object.entries(reasons)) lines.push(`  ${count}  ${REASONS[why as 'locked'] ?? why}`);
  if (failed > 0) {
    lines.push('', `${failed} failed:`);
    lines.push(
      table(
        ['task', 'why'],
        failures.map(({ taskUuid, why }) => [taskUuid, why.split('\n')[0]!]),
      ),
    );
  }
  for (const warning of warnings) lines.push('', pc.yellow(`archive file too short: ${warning}`));
  return lines.join('\n');
}
