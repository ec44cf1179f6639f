import { useState } from 'react';
import { api } from '../../../api/client.ts';
import type { StepResponse } from '../../../api/types.ts';
import { LogLine } from '../log-line.tsx';
import { partQuery, useTaskPart } from '../use-task.ts';

/** The log of the handler of a step by attempt, newest first. It is loaded when it is opened. */
export function StepLogs({ step: { task_uuid: uuid, name } }: { step: StepResponse }) {
  const [open, setOpen] = useState(false);
  const { data, error } = useTaskPart(
    partQuery(uuid, `logs of ${name}`, (options) => api.steps.logs(uuid, name, {}, options)),
    open,
  );
  return (
    <details className="border-b border-line" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary className="px-4 py-2 text-xs font-medium text-faint hover:text-ink">Logs</summary>
      {error && !data && <p className="px-4 pb-3 text-sm text-s-red">{error.message}</p>}
      {data?.logs.length === 0 && (
        <p className="px-4 pb-3 text-sm text-soft">
          No lines were kept. By default, only the last 200 lines of failed attempts are kept.
        </p>
      )}
      {data?.logs.toReversed().map(({ attempt, lines, dropped }, at) => (
        <section key={data.logs.length - at} aria-label={`Logs of attempt ${attempt}`} className="pb-3">
          <h4 className="px-4 text-xs text-faint">
            Attempt {attempt}
            {dropped > 0 && `, without ${dropped} earlier lines`}
          </h4>
          <ol className="px-4 font-mono text-xs leading-5">
            {lines.map(({ at, level, message, fields }, line) => (
              <LogLine key={`${at} ${line}`} {...{ at, level, message, fields }} />
            ))}
          </ol>
        </section>
      ))}
    </details>
  );
}
