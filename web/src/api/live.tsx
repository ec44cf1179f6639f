import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';

interface Live {
  on: boolean;
  /** When live data was paused. */
  since: Date | undefined;
  toggle(): void;
}

const LiveContext = createContext<Live>({ on: true, since: undefined, toggle: () => {} });

/** Tracks whether the page updates itself. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const [since, setSince] = useState<Date>();
  const live = useMemo(
    () => ({ on: since === undefined, since, toggle: () => setSince((now) => (now ? undefined : new Date())) }),
    [since],
  );
  return <LiveContext value={live}>{children}</LiveContext>;
}

export function useLive(): Live {
  return useContext(LiveContext);
}

/** Returns the time, updated every second. It stops while the page is paused. */
export function useNow(): Date {
  const { on } = useLive();
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => setNow(new Date()), 1000);
    return () => clearInterval(timer);
  }, [on]);
  return now;
}
