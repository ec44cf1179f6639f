import type { ReactNode } from 'react';
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
  /** Shown below the table, such as the buttons that turn the page. */
  pages?: ReactNode;
}

/** A dense table, which can be exported. */
export function Grid<Row extends object>({ name, columns, rows, keyOf, all, pages }: GridProps<Row>) {
  return (
    <>
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
      <TableFoot text={counted(rows.length, 'row')}>
        {pages}
        <ExportMenu name={name} rows={rows} all={all} />
      </TableFoot>
    </>
  );
}

/** The line below a table: the number of its rows, and the actions on them. */
export function TableFoot({ text, children }: { text: string; children: ReactNode }) {
  return (
    <div className="sticky left-0 flex h-9 items-center gap-1 border-t border-line pr-1 pl-3 text-xs text-faint">
      <span className="grow tabular-nums">{text}</span>
      {children}
    </div>
  );
}
