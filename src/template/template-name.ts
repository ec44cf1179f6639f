import { TaskerError } from '../errors.ts';

/** The template of a request. Without a version, the request means the active version. */
export interface RequestedTemplate {
  name: string;
  namespace?: string | undefined;
  version?: string | undefined;
}

/** Returns `namespace/name@version`, or `namespace/name` for a request without a version. */
export function requestedTemplate({ name, namespace = 'default', version }: RequestedTemplate): string {
  return `${namespace}/${name}${version === undefined ? '' : `@${version}`}`;
}

/** Reads `name`, `namespace/name` or `namespace/name@version`. Without a namespace, `namespace` applies. */
export function readTemplateName(text: string, namespace: string): RequestedTemplate & { namespace: string } {
  const [, own = namespace, name = text, version] = /^(?:([^/]+)\/)?(.+?)(?:@([^@]+))?$/.exec(text) ?? [];
  return { namespace: own, name, version };
}

/**
 * Parses `namespace/name@version` or `name@version`.
 * @throws TaskerError `bad_request` if it is not of this form
 */
export function readVersionedName(text: unknown): RequestedTemplate & { version: string } {
  const [, namespace, name, version] = (typeof text === 'string' && /^(?:([^/]+)\/)?(.+)@([^@]+)$/.exec(text)) || [];
  if (name !== undefined && version !== undefined) return { namespace, name, version };
  throw new TaskerError(
    'bad_request',
    'pass the template with its version, as namespace/name@version, or namespace/name@latest for the highest version',
  );
}
