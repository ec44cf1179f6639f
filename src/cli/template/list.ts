import { snakeKeys } from '../../app/json/views.ts';
import type { Pause } from '../../app/operator-types.ts';
import { databaseExists } from '../../app/project/database-admin.ts';
import { workflowsIn } from '../../app/project/exported-workflows.ts';
import { readTemplates } from '../../app/project/load-templates.ts';
import { differingTemplates, nameOf } from '../../app/project/project.ts';
import { loadConfig } from '../../config/load-config.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { describePause } from '../pause/describe.ts';
import { existingFolders, workflowFolders } from '../project/folders.ts';
import { chosenServer } from '../remote/choose-server.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted, table } from '../show/text.ts';
import { here } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

interface Listed {
  namespace: string;
  name: string;
  version: string;
  description: string | null;
  steps: number | null;
  in_project: boolean;
  registered: boolean;
  /** Whether tasks without a version are created from this version. Null if it is not registered. */
  active: boolean | null;
  /** Whether an activation keeps it active when a higher version is registered. */
  pinned: boolean;
  /** Whether the database has different contents for this name and version. */
  differs: boolean;
  /** The pauses of the template and its namespace. */
  paused: Record<string, unknown>[] | null;
}

/** `tasker template list`: lists the templates of the project and of the database. */
export async function templateList(options: GlobalOptions): Promise<void> {
  const listed = new Map<string, Listed>();
  const holding = new Set<Pause>();
  const read = await readTemplates(existingFolders(options), loadConfig(here()).config.environment, here());
  const exported = (await workflowsIn(workflowFolders(options), here())).map(({ workflow }) => workflow);
  const valid = exported.filter(({ problems }) => problems.every(({ severity }) => severity === 'warning'));
  const templates = [...read.templates, ...valid.map(({ template }) => template)];
  const problems = [...read.problems, ...exported.flatMap((one) => one.problems)];
  for (const { namespace, name, version, description, steps } of templates) {
    const about = { namespace, name, version, description, steps: steps.length };
    listed.set(`${namespace}/${name}@${version}`, {
      ...about,
      in_project: true,
      registered: false,
      active: null,
      pinned: false,
      differs: false,
      paused: null,
    });
  }
  const [registered, pauses] =
    (await chosenServer(options)) || databaseExists({ ...options, ...here() })
      ? await withTasker(options, {}, (tasker) => Promise.all([tasker.engine.templates.list(), tasker.pauses()]))
      : [[], []];
  const differing = new Set(differingTemplates(templates, registered).map(nameOf));
  for (const { namespace, name, version, active, pinned } of registered) {
    const key = `${namespace}/${name}@${version}`;
    const known = listed.get(key) ?? { namespace, name, version, description: null, steps: null, in_project: false };
    const held = pauses.filter(({ target }) => [namespace, `${namespace}/${name}`, key].includes(target));
    const paused = held.length > 0 ? held.map(snakeKeys) : null;
    listed.set(key, { ...known, registered: true, active, pinned, differs: differing.has(key), paused });
    for (const pause of held) holding.add(pause);
  }
  const errors = problems.filter((problem) => problem.severity === 'error');
  if (errors.length > 0)
    note(`${counted(errors.length, 'error')} in template files; \`npx tasker template validate\` shows them`);
  show(
    [...listed.entries()].sort(([a], [b]) => (a < b ? -1 : 1)),
    options,
  );
  if (options.json) return;
  if (differing.size > 0) note(DIFFERS_NOTE);
  for (const pause of holding) note(`paused: ${describePause(pause, Date.now())}`);
}

const DIFFERS_NOTE =
  'DIFFERS: the database has different contents for this version, which new tasks use until a worker registers the new contents; increase the version to keep both';

function show(entries: readonly [string, Listed][], { json }: GlobalOptions): void {
  if (json) printJson(entries.map(([, entry]) => entry));
  else if (entries.length === 0) note('no templates; `npx tasker-core init` creates a first one');
  else print(templateTable(entries));
}

function templateTable(entries: readonly [string, Listed][]): string {
  const rows = entries.map(([key, entry]) => [
    key,
    entry.steps === null ? '' : String(entry.steps),
    entry.in_project ? 'yes' : 'no',
    entry.differs ? 'DIFFERS' : entry.registered ? 'yes' : 'no',
    entry.pinned ? 'pinned' : entry.active ? 'yes' : '',
    entry.paused ? pc.yellow('paused') : '',
    entry.description ?? '',
  ]);
  const columns = ['template', 'steps', 'in project', 'registered', 'active', '', 'description'];
  const shown = entries.some(([, { paused }]) => paused) ? [0, 1, 2, 3, 4, 5, 6] : [0, 1, 2, 3, 4, 6];
  const only = (cells: readonly string[]) => shown.map((column) => cells[column]!);
  return table(only(columns), rows.map(only));
}
