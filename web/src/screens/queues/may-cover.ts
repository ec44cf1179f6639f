import type { Pause } from '../../api/types.ts';

/** Returns whether a pause may cover tasks of a namespace. The namespace of a paused task is not known. */
export function mayCover({ scope, target }: Pause, namespace: string | undefined): boolean {
  if (namespace === undefined || scope === 'task') return true;
  return target === namespace || target.startsWith(`${namespace}/`);
}
