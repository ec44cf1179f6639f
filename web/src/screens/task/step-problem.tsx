import type { StepError } from '../../api/types.ts';

/** The error of a step: its type, its text, and where it was thrown. */
export function StepProblem({ error }: { error: StepError }) {
  const { message, error_type: type, backtrace, retryable, status_code: status, context } = error;
  const facts = [
    type,
    status ? `status ${status}` : undefined,
    retryable === false ? 'not retryable' : undefined,
  ].filter(Boolean);
  return (
    <section aria-label="Error" className="border-b border-line bg-t-red px-4 py-3">
      <p className="text-sm font-medium break-words whitespace-pre-wrap text-s-red">{message}</p>
      <p className="mt-0.5 text-xs text-soft">{facts.join(' · ')}</p>
      {backtrace && backtrace.length > 0 && (
        <ol className="mt-2 overflow-x-auto font-mono text-xs leading-5 text-soft">
          {backtrace.map((frame) => (
            <li key={frame} className="whitespace-pre">
              {frame}
            </li>
          ))}
        </ol>
      )}
      {context && Object.keys(context).length > 0 && (
        <pre className="mt-2 overflow-x-auto font-mono text-xs leading-5 text-soft">
          {JSON.stringify(context, null, 2)}
        </pre>
      )}
    </section>
  );
}
