import type { Db } from '../db/statement.ts';
import { TaskerError } from '../errors.ts';
import { nearNames } from '../model/near-names.ts';
import { namespaceIds, type TemplateVersion } from '../store/templates.ts';
import type { TemplateStore } from './template-store.ts';

/** Maximum number of templates that an error lists if none has a similar name. */
const FEW_TEMPLATES = 5;

/** A registered template, as an operator names it. */
export interface NamedTemplate {
  namespaceId: number;
  namespace: string;
  name: string;
  /** Null if the text has none. */
  version: string | null;
}

/**
 * Finds a template by `name`, `namespace/name` or `namespace/name@version`. Without a namespace, takes the one in
 * `default`, or the only one with that name.
 * @throws TaskerError `template_not_found`, with similar names
 */
export async function namedTemplate(
  { database, templates }: { database: Db; templates: TemplateStore },
  text: string,
): Promise<NamedTemplate> {
  const at = text.lastIndexOf('@');
  const [path, version] = at > 0 ? [text.slice(0, at), text.slice(at + 1)] : [text, null];
  const slash = path.indexOf('/');
  const [given, name] = slash > 0 ? [path.slice(0, slash), path.slice(slash + 1)] : [null, path];
  const all = await templates.list();
  const matching = all.filter((row) => row.name === name && (version === null || row.version === version));
  const namespaces = [...new Set(matching.map((row) => row.namespace))];
  const namespace = given ?? (namespaces.includes('default') || namespaces.length !== 1 ? 'default' : namespaces[0]!);
  if (!namespaces.includes(namespace)) throw templateNotFound(text, { name, version }, all);
  const [namespaceId] = await namespaceIds(database, [namespace]);
  return { namespaceId: namespaceId!, namespace, name, version };
}

function templateNotFound(
  text: string,
  { name, version }: { name: string; version: string | null },
  all: readonly TemplateVersion[],
): TaskerError {
  const same = all.some((row) => row.name === name);
  const names = [...new Set(all.map((row) => row.name))];
  const similar = same ? [name] : nearNames(name, names);
  const named = similar.length > 0 || names.length > FEW_TEMPLATES ? similar : names;
  const shown = (row: TemplateVersion) => `${row.namespace}/${row.name}${version === null ? '' : `@${row.version}`}`;
  const near = [...new Set(all.filter((row) => named.includes(row.name)).map(shown))];
  const hint =
    near.length > 0
      ? `there ${near.length === 1 ? 'is' : 'are'} ${near.slice(0, 5).join(', ')}`
      : 'no registered template has a similar name';
  return new TaskerError('template_not_found', `template ${text} not found; ${hint}`, { details: { near } });
}
