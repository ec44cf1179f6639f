const VERBS: Readonly<Record<string, string>> = { get: 'get', post: 'post', patch: 'update', delete: 'delete' };
const IS_PARAMETER = /^\{.+\}$/;

/**
 * Returns the name of an operation from its method and path: `getTaskContext` for `GET /v1/tasks/{uuid}/context`. A part
 * before a parameter is in the singular.
 */
export function operationIdOf(method: string, path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== 'v1');
  const names = parts.flatMap((part, at) => {
    if (IS_PARAMETER.test(part)) return [];
    return [IS_PARAMETER.test(parts[at + 1] ?? '') ? singular(part) : part];
  });
  return `${VERBS[method] ?? method}${names.map(capitalized).join('')}`;
}

function singular(word: string): string {
  if (word.endsWith('ies')) return `${word.slice(0, -3)}y`;
  return word.endsWith('s') && !word.endsWith('ss') ? word.slice(0, -1) : word;
}

/** `workflow_steps` as `WorkflowSteps`. */
function capitalized(text: string): string {
  return text
    .split(/[-_.]/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('');
}

/** Returns the group of a path in the documentation: its first part after `/v1`. */
export function tagOf(path: string): string {
  return path.split('/').find((part) => part !== '' && part !== 'v1') ?? 'other';
}
