import { highestVersion } from '../../template/version-order.ts';

/** The name of a template as given to a command. Undefined parts match anything. */
export interface TemplateReference {
  name: string;
  namespace: string | undefined;
  version: string | undefined;
}

/** Parses `name`, `namespace/name`, `name@version` or `namespace/name@version`. */
export function readReference(text: string): TemplateReference {
  const at = text.lastIndexOf('@');
  const [path, version] = at > 0 ? [text.slice(0, at), text.slice(at + 1)] : [text, undefined];
  const slash = path.indexOf('/');
  return {
    name: slash > 0 ? path.slice(slash + 1) : path,
    namespace: slash > 0 ? path.slice(0, slash) : undefined,
    version,
  };
}

/** The full name of a template. */
export type TemplateName = { [Part in keyof TemplateReference]: string };

/**
 * Returns the template that a reference means. Without a version: the active version, or the highest one of a project.
 * Without a namespace: the template in `default`, otherwise the first one.
 */
export function meantBy<T extends TemplateName & { active?: boolean }>(
  known: readonly T[],
  reference: TemplateReference,
): T | undefined {
  const matching = known.filter((one) => fits(one, reference));
  const { namespace } = matching.find((one) => one.namespace === 'default') ?? matching[0] ?? {};
  const there = matching.filter((one) => one.namespace === namespace);
  const highest = highestVersion(there.map(({ version }) => version));
  return there.find(({ active }) => active) ?? there.find(({ version }) => version === highest);
}

/** Returns whether a reference matches a template. */
export function fits(one: TemplateName, { name, namespace, version }: TemplateReference): boolean {
  return (
    one.name === name && (namespace ?? one.namespace) === one.namespace && (version ?? one.version) === one.version
  );
}
