import type { ReactNode } from 'react';
import type { TaskLogs } from '../../api/types.ts';
import { exactText, instantText, timeOf } from '../../parts/words.ts';

const LEVELS: Readonly<Record<string, string>> = { error: 'text-s-red', fatal: 'text-s-red', warn: 'text-s-amber' };

type Line = Pick<TaskLogs['lines'][number], 'at' | 'level' | 'message' | 'fields'>;

/** A line of a handler's log. `children` are shown before its message, such as the name of its step. */
export function LogLine({ at, level, message, fields, children }: Line & { children?: ReactNode }) {
  return (
    <li className="flex gap-2" title={exactText(timeOf(at))}>
      <span className="text-faint">{instantText(timeOf(at))}</span>
      <span className={`w-10 shrink-0 ${LEVELS[level] ?? 'text-faint'}`}>{level}</span>
      {children}
      <span className="min-w-0 whitespace-pre-wrap [overflow-wrap:anywhere]">
        {message}
        {Object.keys(fields).length > 0 && <span className="text-faint"> {JSON.stringify(fields)}</span>}
      </span>
    </li>
  );
}
