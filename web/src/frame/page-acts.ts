import { useEffect, useId, useRef, useSyncExternalStore } from 'react';
import type { Method } from '../api/routes.ts';

/** An action of the open screen, which the palette offers. */
export interface PageAct {
  name: string;
  method: Method;
  /** Opens the dialog of the action. */
  run(): void;
}

const offered = new Map<string, readonly PageAct[]>();
const listeners = new Set<() => void>();
let all: readonly PageAct[] = [];

function offer(key: string, acts: readonly PageAct[]): void {
  if (acts.length > 0) offered.set(key, acts);
  else offered.delete(key);
  // The actions that were offered last, such as the one that helps a stuck task, come first.
  all = [...offered.values()].reverse().flat();
  for (const listener of listeners) listener();
}

/** Offers actions in the palette while the calling component is shown. */
export function useOfferedActs(acts: readonly PageAct[]): void {
  const key = useId();
  const latest = useRef(acts);
  latest.current = acts;
  const names = acts.map(({ name }) => name).join('\n');
  useEffect(() => {
    const runLatest = (at: number) => () => latest.current[at]?.run();
    offer(
      key,
      latest.current.slice(0, names.split('\n').length).map((act, at) => ({ ...act, run: runLatest(at) })),
    );
    return () => offer(key, []);
  }, [key, names]);
}

/** Returns the actions of the open screen. */
export function usePageActs(): readonly PageAct[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => all,
  );
}
