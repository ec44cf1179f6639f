import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useSearchParams } from 'react-router';
import { api } from '../../api/client.ts';
import { usePrecaution } from '../../api/polling.ts';
import { Empty, Panel, Problem } from '../../parts/controls.tsx';
import { INPUT } from '../../parts/form/field.tsx';
import { counted } from '../../parts/words.ts';
import { LogLine } from './log-line.tsx';
import type { ViewProps } from './use-task.ts';

const TYPING_MS = 300;

/** The log lines of all steps, oldest first, with a search in them. The text is in the address. */
export function LogsView({ data: { task }, onSelect }: ViewProps) {
  const { task_uuid: uuid } = task;
  const [search, setSearch] = useSearchParams();
  const text = search.get('contains') ?? '';
  const [typed, setTyped] = useState(text);
  useEffect(() => {
    if (typed.trim() === text) return;
    const timer = setTimeout(
      () =>
        setSearch(
          (now) => {
            if (typed.trim() === '') now.delete('contains');
            else now.set('contains', typed.trim());
            return now;
          },
          { replace: true },
        ),
      TYPING_MS,
    );
    return () => clearTimeout(timer);
  }, [typed, text, setSearch]);
  const {
    data: read,
    error,
    isPlaceholderData,
  } = useQuery({
    queryKey: ['task', uuid, 'logs', text],
    queryFn: ({ signal }) => api.tasks.logs(uuid, { contains: text || undefined }, { signal }),
    refetchInterval: usePrecaution(),
    placeholderData: keepPreviousData,
  });
  if (error && !read) return <Problem error={error} />;
  // Lines found for an earlier text must not be shown as matches.
  const data = isPlaceholderData ? undefined : read;
  const lines = data?.lines ?? [];
  return (
    <>
      <div className="mb-3 flex flex-wrap items-center gap-3">
        <span className="w-80 max-w-full">
          <input
            data-filter
            type="search"
            aria-label="Search in the logs"
            placeholder="Search in the logs of all steps"
            className={`${INPUT} h-8`}
            value={typed}
            onChange={({ target }) => setTyped(target.value)}
          />
        </span>
        <span aria-live="polite" className="text-sm text-soft">
          {data && `${data.has_earlier ? 'the newest ' : ''}${counted(lines.length, 'line')}${text ? ' found' : ''}`}
        </span>
      </div>
      {data && (
        <Panel>
          {lines.length > 0 ? (
            <ol aria-label="Logs" className="px-4 py-2 font-mono text-xs leading-5">
              {lines.map((line, at) => (
                <LogLine key={`${line.at} ${at}`} {...line}>
                  <button
                    type="button"
                    title={`${line.step}, attempt ${line.attempt}`}
                    className="w-40 shrink-0 truncate text-left text-soft hover:text-accent hover:underline max-sm:w-20"
                    onClick={() => onSelect(line.step)}
                  >
                    {line.step}
                    <span className="text-faint"> · {line.attempt}</span>
                  </button>
                </LogLine>
              ))}
            </ol>
          ) : text === '' ? (
            <Empty title="No lines were kept">By default, only the last 200 lines of failed attempts are kept.</Empty>
          ) : (
            <Empty title={`No line contains ${text}`}>The search ignores upper and lower case.</Empty>
          )}
        </Panel>
      )}
    </>
  );
}
