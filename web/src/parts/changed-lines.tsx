import type { DiffLine } from './line-diff.ts';

const LINES = { same: '', added: 'bg-t-green text-s-green', removed: 'bg-t-red text-s-red' } as const;
const LINE_SIGNS = { same: ' ', added: '+', removed: '−' } as const;

/** The lines of two texts near their differences. Undefined is a gap. */
export function ChangedLines({ lines }: { lines: readonly (DiffLine | undefined)[] }) {
  return (
    <pre className="py-2 font-mono text-xs leading-5 break-words whitespace-pre-wrap">
      {lines.map((line, at) =>
        line ? (
          <div key={at} className={`px-4 ${LINES[line.kind]}`}>
            <span aria-hidden="true">{LINE_SIGNS[line.kind]} </span>
            {line.kind !== 'same' && <span className="sr-only">{line.kind} </span>}
            {line.text}
          </div>
        ) : (
          <div key={at} className="my-1 border-y border-line bg-hover px-4 text-faint">
            …
          </div>
        ),
      )}
    </pre>
  );
}
