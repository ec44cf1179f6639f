import { useState } from 'react';
import { download, type Format, MOST_ROWS } from './download.ts';
import { Choice, Menu } from './menu.tsx';
import { numberText } from './words.ts';

interface ExportMenuProps {
  /** The name of the table, and of the file. */
  name: string;
  /** The rows that are loaded. */
  rows: readonly object[];
  /** Loads all rows, at most {@link MOST_ROWS}. If undefined, all are loaded. */
  all?: (() => Promise<readonly object[]>) | undefined;
}

/** Exports a table: the rows that are shown, or all of them. */
export function ExportMenu({ name, rows, all }: ExportMenuProps) {
  const [state, setState] = useState<'loading' | 'failed'>();
  const exportAll = async (format: Format) => {
    setState('loading');
    try {
      download(name, format, await all!());
      setState(undefined);
    } catch {
      setState('failed');
    }
  };
  const label = state === 'loading' ? 'Exporting…' : state === 'failed' ? 'Export failed' : 'Export';
  return (
    <Menu label={label} name={`Export ${name}`} look="quiet" small>
      {(['csv', 'json'] as const).map((format) => (
        <Choice key={format} onChoose={() => download(name, format, rows)}>
          {all ? `The ${numberText(rows.length)} shown` : `All ${numberText(rows.length)}`}
          <span className="text-xs text-faint">{format.toUpperCase()}</span>
        </Choice>
      ))}
      {all && (
        <>
          <hr className="my-1 border-line" />
          {(['csv', 'json'] as const).map((format) => (
            <Choice key={format} disabled={state === 'loading'} onChoose={() => void exportAll(format)}>
              All pages, up to {numberText(MOST_ROWS)}
              <span className="text-xs text-faint">{format.toUpperCase()}</span>
            </Choice>
          ))}
        </>
      )}
    </Menu>
  );
}
