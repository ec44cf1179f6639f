import { expect, it } from 'vitest';
import { fillPage } from '../../../src/rest/fill-page.ts';

/** A list of numbers from 100 to 1. The cursor is the last number of a page. */
const read = async ({ limit, cursor }: { limit: number; cursor: string | undefined }) => {
  const from = cursor === undefined ? 100 : Number(cursor) - 1;
  const items = Array.from({ length: Math.min(limit, Math.max(0, from)) }, (_, at) => from - at);
  const last = items.at(-1);
  return { items, next_cursor: last !== undefined && last > 1 ? String(last) : null };
};

async function pagesOf(limit: number, visible: (one: number) => boolean): Promise<number[][]> {
  const pages: number[][] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await fillPage({ limit, cursor }, visible, read);
    pages.push(page.items);
    if (page.next_cursor === null) return pages;
    cursor = page.next_cursor;
  }
}

it('every page except the last is full, and every visible item is on a page', async () => {
  for (const [limit, every] of [
    [10, 1],
    [10, 3],
    [7, 5],
    [100, 2],
    [1, 9],
  ] as const) {
    const pages = await pagesOf(limit, (one) => one % every === 0);
    const all = Array.from({ length: 100 }, (_, at) => 100 - at).filter((one) => one % every === 0);
    expect(pages.flat()).toEqual(all);
    expect(pages.slice(0, -1).map(({ length }) => length)).toEqual(pages.slice(0, -1).map(() => limit));
  }
});

it('a request reads only a bounded part of a list without visible items', async () => {
  const page = await fillPage({ limit: 1 }, () => false, read);
  expect(page).toEqual({ items: [], next_cursor: '81', previous_cursor: null });
});
