import type { ReactNode } from 'react';

export interface Column<Row> {
  head: string;
  cell(row: Row): ReactNode;
  /** `num`: right-aligned figures. `wide`: takes the remaining width, and is cut off. */
  kind?: 'num' | 'wide';
}

interface GridProps<Row> {
  name: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf(row: Row): string;
}

/** A dense table. */
export function Grid<Row>({ name, columns, rows, keyOf }: GridProps<Row>) {
  return (
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
  );
}
