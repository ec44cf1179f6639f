/** The largest page that lists return. */
export const LARGEST_PAGE = 1000;

/** Returns the rows of all pages of a list. `most`: maximum number of rows. */
export async function firstRows<Row>(rows: AsyncIterable<Row>, most: number): Promise<Row[]> {
  const found: Row[] = [];
  for await (const row of rows) {
    if (found.push(row) === most) break;
  }
  return found;
}
