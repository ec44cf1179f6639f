import { type QueryKey, useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from 'react';
import { addressOf } from './client.ts';
import { useLive } from './live.tsx';
import { noteChange } from './quiet.ts';

const StreamContext = createContext(false);

/** Minimum interval between two updates of the screen, regardless of the number of changes. */
const SHOW_MS = 2_000;
/** After this many lost connections in a row, the page only polls. */
const MOST_LOST = 5;
/** Delay until a stream is requested again that the server rejected, because it was busy or starting. */
const REFUSED_MS = 3_000;
/** The queries that a change of a task may invalidate. All others are polled. */
const AFFECTED = new Set(['tasks', 'status', 'summary']);
/**
 * Searches the text, because parsing thousands of changes per second would cost more than everything else on the page.
 */
const TASK_ID = /"task_uuid":"([^"]+)"/;

/**
 * Follows the changes of tasks while the page is live and visible. A change only reports which data is new; the screen
 * then reloads the data. Browsers allow few connections to a host, so a hidden page closes its stream.
 */
export function StreamProvider({ children }: { children: ReactNode }) {
  const [connected, setConnected] = useState(false);
  const visible = useVisible();
  const { on } = useLive();
  const queries = useQueryClient();
  const active = visible && on;
  const lost = useRef(0);
  const wasOpen = useRef(false);
  const [refusals, setRefusals] = useState(0);
  useEffect(() => {
    if (!active) {
      lost.current = 0;
      return;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    let changed = new Set<string>();
    let all = false;
    let shownAt = Number.NEGATIVE_INFINITY;
    const reload = () => {
      const [tasks, every] = [changed, all];
      shownAt = performance.now();
      const isStale = ({ queryKey: [name, id] }: { queryKey: QueryKey }) =>
        name === 'task' ? every || tasks.has(String(id)) : AFFECTED.has(String(name));
      void queries.invalidateQueries({ predicate: isStale });
    };
    const reloadSoon = () => {
      if (timer !== undefined) return;
      // The first change is shown immediately, and again later, because lists are written shortly after their tasks.
      if (performance.now() - shownAt >= SHOW_MS) reload();
      timer = setTimeout(() => {
        reload();
        [timer, changed, all] = [undefined, new Set(), false];
      }, SHOW_MS);
    };
    const show = (event: MessageEvent<string>) => {
      noteChange({ isFollowing: true });
      const task = event.type === 'task' ? TASK_ID.exec(event.data)?.[1] : undefined;
      if (task === undefined) all = true;
      else changed.add(task);
      reloadSoon();
    };
    const source = new EventSource(addressOf('v1/stream'));
    source.addEventListener('open', () => {
      lost.current = 0;
      noteChange({ isFollowing: true });
      setConnected(true);
      // The stream does not report the changes before it was opened.
      if (wasOpen.current) {
        all = true;
        reloadSoon();
      }
      wasOpen.current = true;
    });
    source.addEventListener('error', () => {
      noteChange({ isFollowing: false });
      setConnected(false);
      lost.current += 1;
      if (lost.current >= MOST_LOST) source.close();
      // The browser itself connects again only if a connection was lost.
      else if (source.readyState === EventSource.CLOSED)
        again = setTimeout(() => setRefusals((n) => n + 1), REFUSED_MS);
    });
    for (const name of ['task', 'deleted', 'reset']) source.addEventListener(name, show);
    return () => {
      source.close();
      noteChange({ isFollowing: false });
      clearTimeout(timer);
      clearTimeout(again);
      setConnected(false);
    };
  }, [active, queries, refusals]);
  return <StreamContext value={connected}>{children}</StreamContext>;
}

/** Returns whether changes arrive through the stream, so that polling is only a fallback. */
export function useStreaming(): boolean {
  return useContext(StreamContext);
}

function useVisible(): boolean {
  const [visible, setVisible] = useState(!document.hidden);
  useEffect(() => {
    const listen = () => setVisible(!document.hidden);
    document.addEventListener('visibilitychange', listen);
    return () => document.removeEventListener('visibilitychange', listen);
  }, []);
  return visible;
}
