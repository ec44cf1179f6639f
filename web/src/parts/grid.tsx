import { type ReactNode, useState } from 'react';
import { ExportMenu } from './export-menu.tsx';
import { counted } from './words.ts';

export interface Column<Row> {
  head: string;
  cell(row: Row): ReactNode;
  /** `num`: right-aligned numbers. `wide`: takes the remaining width, and truncates its text. */
  kind?: 'num' | 'wide';
}

interface GridProps<Row> {
  name: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf(row: Row): string;
  /** Loads the rows of all pages, for the export. */
  all?: (() => Promise<readonly object[]>) | undefined;
  /** Shown below the table, such as the buttons for the next page. */
  pages?: ReactNode;
}

/** Longer tables have a field that filters their rows. */
const FILTERED_FROM = 10;

/** A dense table, which can be filtered by a string and exported. */
export function Grid<Row extends object>({ name, columns, rows: all, keyOf, all: loadAll, pages }: GridProps<Row>) {
  const [text, setText] = useState('');
  const wanted = text.trim().toLowerCase();
  const rows = wanted === '' ? all : all.filter((row) => JSON.stringify(row).toLowerCase().includes(wanted));
  return (
    <>
      {(all.length >= FILTERED_FROM || text !== '') && (
        <div className="sticky left-0 border-b border-line px-3 py-2">
          <input
            data-filter
            type="search"
            aria-label={`Filter ${name}`}
            placeholder={loadAll ? 'Filter the rows of this page' : 'Filter the rows'}
            className="h-7 w-56 max-w-full rounded-md border border-edge bg-surface px-2 text-sm text-ink placeholder:text-faint"
            value={text}
            onChange={({ target }) => setText(target.value)}
          />
        </div>
      )}
      <table className="grid-table" aria-label={name}>
        <thead>
          <tr>
            {columns.map(({ head, kind }) => (
              <th key={head} scope="col" className={kind === 'num' ? 'num' : ''}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ head, cell, kind = '' }) => (
                <td key={head} className={kind}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <TableFoot text={wanted === '' ? counted(rows.length, 'row') : `${rows.length} of ${counted(all.length, 'row')}`}>
        {pages}
        <ExportMenu name={name} rows={rows} all={loadAll} />
      </TableFoot>
    </>
  );
}

/** The line below a table: the number of its rows, and the actions on them. */
export function TableFoot({ text, children }: { text: string; children: ReactNode }) {
  return (
    <div className="sticky left-0 flex min-h-9 flex-wrap items-center gap-x-1 border-t border-line pr-1 pl-3 text-xs text-faint">
      <span className="grow whitespace-nowrap tabular-nums">{text}</span>
      {children}
    </div>
  );
}
