import type { ReactNode } from 'react';

/** Commands for a terminal, folded because a person on the page has buttons. */
export function Terminal({ children }: { children: ReactNode }) {
  return (
    <details className="mt-1 text-xs text-soft">
      <summary className="w-fit cursor-pointer hover:text-ink">In a terminal</summary>
      <div className="mt-1 grid gap-1 break-all">{children}</div>
    </details>
  );
}
