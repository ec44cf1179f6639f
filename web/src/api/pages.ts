import { ask, type Query, rowsOf } from './client.ts';

const LARGEST_PAGE = 1000;

interface Paged {
  next_cursor?: string | null;
  pagination?: { next_cursor: string | null };
}

/** Reads the rows of all pages of a list from its beginning. `most`: maximum number of rows. */
export async function allPages(path: string, name: string, query: Query, most: number): Promise<object[]> {
  const found: object[] = [];
  for (let cursor: string | undefined; found.length < most; ) {
    const answer = await ask<Paged>(path, { query: { ...query, cursor, limit: LARGEST_PAGE } });
    found.push(...rowsOf<object>(answer, name));
    cursor = (answer.pagination ?? answer).next_cursor ?? undefined;
    if (cursor === undefined) break;
  }
  return found.slice(0, most);
}
