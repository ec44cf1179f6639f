interface GraphLegendProps {
  hasRoutes: boolean;
  /** Whether the graph has steps that may not be created. */
  hasAbsent?: boolean;
}

/** Explains the edges of a graph that are not solid. */
export function GraphLegend({ hasRoutes, hasAbsent = false }: GraphLegendProps) {
  if (!hasRoutes && !hasAbsent) return null;
  return (
    <ul aria-label="Legend" className="mt-2 flex flex-wrap items-center gap-x-5 gap-y-1 text-xs text-faint">
      {hasRoutes && <Line look="6 4">runs after a failure, or after every end</Line>}
      {hasAbsent && <Line look="0.1 5">created at run time, if it is chosen</Line>}
    </ul>
  );
}

function Line({ look, children }: { look: string; children: string }) {
  return (
    <li className="inline-flex items-center gap-1.5">
      <svg width="28" height="8" viewBox="0 0 28 8" aria-hidden="true" className="text-faint">
        <path d="M1 4h26" stroke="currentColor" strokeWidth="1.5" strokeDasharray={look} strokeLinecap="round" />
      </svg>
      {children}
    </li>
  );
}
