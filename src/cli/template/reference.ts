/** A template as a command names it; what is undefined is left open. */
export interface TemplateReference {
  name: string;
  namespace: string | undefined;
  version: string | undefined;
}

/** Reads `name`, `namespace/name`, `name@version` or `namespace/name@version`. */
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

/** The name of a template, whole. */
export type TemplateName = { [Part in keyof TemplateReference]: string };

/** Whether a command that names a template so may mean this one. */
export function fits(one: TemplateName, { name, namespace, version }: TemplateReference): boolean {
  return (
    one.name === name && (namespace ?? one.namespace) === one.namespace && (version ?? one.version) === one.version
  );
}
