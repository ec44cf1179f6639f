import { databaseExists } from '../../app/project/database-admin.ts';
import { readTemplates } from '../../app/project/load-templates.ts';
import { differingTemplates, nameOf } from '../../app/project/project.ts';
import { loadConfig } from '../../config/load-config.ts';
import type { GlobalOptions } from '../options.ts';
import { existingFolders } from '../project/folders.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted, table } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

interface Listed {
  namespace: string;
  name: string;
  version: string;
  description: string | null;
  steps: number | null;
  in_project: boolean;
  registered: boolean;
  /** The database has different contents for this name and version. */
  differs: boolean;
}

/** `tasker template list`: lists the templates of the project and those in the database. */
export async function templateList(options: GlobalOptions): Promise<void> {
  const listed = new Map<string, Listed>();
  const { templates, problems } = await readTemplates(existingFolders(options), loadConfig().config.environment);
  for (const { namespace, name, version, description, steps } of templates) {
    const about = { namespace, name, version, description, steps: steps.length };
    listed.set(`${namespace}/${name}@${version}`, { ...about, in_project: true, registered: false, differs: false });
  }
  const registered = databaseExists(options)
    ? await withTasker(options, {}, (tasker) => tasker.engine.templates.list())
    : [];
  const differing = new Set(differingTemplates(templates, registered).map(nameOf));
  for (const { namespace, name, version } of registered) {
    const key = `${namespace}/${name}@${version}`;
    const known = listed.get(key) ?? { namespace, name, version, description: null, steps: null, in_project: false };
    listed.set(key, { ...known, registered: true, differs: differing.has(key) });
  }
  const errors = problems.filter((problem) => problem.severity === 'error');
  if (errors.length > 0)
    note(`${counted(errors.length, 'error')} in template files; \`npx tasker template validate\` shows them`);
  show(
    [...listed.entries()].sort(([a], [b]) => (a < b ? -1 : 1)),
    options,
  );
  if (differing.size > 0 && !options.json) note(DIFFERS_NOTE);
}

const DIFFERS_NOTE =
  'DIFFERS: the database has different contents for this version, and new tasks use those until a worker registers the new contents; increase the version to keep both';

function show(entries: readonly [string, Listed][], { json }: GlobalOptions): void {
  if (json) printJson(entries.map(([, entry]) => entry));
  else if (entries.length === 0) note('no templates; `npx tasker init` creates a first one');
  else print(templateTable(entries));
}

function templateTable(entries: readonly [string, Listed][]): string {
  const rows = entries.map(([key, entry]) => [
    key,
    entry.steps === null ? '' : String(entry.steps),
    entry.in_project ? 'yes' : 'no',
    entry.differs ? 'DIFFERS' : entry.registered ? 'yes' : 'no',
    entry.description ?? '',
  ]);
  return table(['template', 'steps', 'in project', 'registered', 'description'], rows);
}
