import type { StepError } from '../../../api/types.ts';
import { Button } from '../../../parts/controls.tsx';
import { useCopy } from '../../../parts/copy.ts';

/** Frames of Node and of packages are dimmed, because the cause is rarely there. */
const FOREIGN = /node_modules|node:internal|\(node:/;

/** The error of a step: its type, its text, and where it was thrown. */
export function StepProblem({ error }: { error: StepError }) {
  const { message, error_type: type, backtrace, retryable, status_code: status, context } = error;
  const { copied, copy } = useCopy([message, ...(backtrace ?? [])].join('\n'));
  const facts = [
    type,
    status ? `status ${status}` : undefined,
    retryable === false ? 'not retryable' : undefined,
  ].filter(Boolean);
  return (
    <section aria-label="Error" className="border-b border-line bg-t-red px-4 py-3">
      <div className="flex items-start gap-2">
        <p className="grow text-sm font-medium break-words whitespace-pre-wrap text-s-red [overflow-wrap:anywhere]">
          {message}
        </p>
        <Button
          look="quiet"
          className="-mt-1 -mr-2 h-6 px-2 text-xs"
          aria-label={`${copied ? 'Copied' : 'Copy'} the error`}
          onClick={copy}
        >
          {copied ? 'Copied' : 'Copy'}
        </Button>
      </div>
      <p className="mt-0.5 text-xs text-soft">{facts.join(' · ')}</p>
      <Frames of={backtrace} />
      {context && Object.keys(context).length > 0 && (
        <pre className="mt-2 font-mono text-xs leading-5 whitespace-pre-wrap text-soft [overflow-wrap:anywhere]">
          {JSON.stringify(context, null, 2)}
        </pre>
      )}
    </section>
  );
}

/** Where an error was thrown. */
export function Frames({ of: frames }: { of: StepError['backtrace'] | undefined }) {
  if (!frames || frames.length === 0) return null;
  return (
    <ol aria-label="Frames" className="mt-2 font-mono text-xs leading-5">
      {frames.map((frame, at) => (
        <li
          key={`${at} ${frame}`}
          className={`[overflow-wrap:anywhere] ${FOREIGN.test(frame) ? 'text-faint' : 'text-ink'}`}
        >
          {frame}
        </li>
      ))}
    </ol>
  );
}
