/** A part of a list. */
interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

/** After this many reads, a page may have fewer items than requested, so that a request cannot read a whole list. */
const MOST_READS = 20;

/**
 * Reads until the page has the requested number of items that the caller may see. `read` returns the items after a
 * cursor, visible or not.
 */
export async function fillPage<Item>(
  { limit, cursor }: { limit: number; cursor?: string | undefined },
  visible: (item: Item) => boolean,
  read: (page: { limit: number; cursor: string | undefined }) => Promise<Page<Item>>,
): Promise<Page<Item> & { previous_cursor: null }> {
  const items: Item[] = [];
  let next: string | null | undefined = cursor;
  for (let reads = 0; reads < MOST_READS && items.length < limit && next !== null; reads++) {
    const page: Page<Item> = await read({ limit: limit - items.length, cursor: next });
    items.push(...page.items.filter(visible));
    next = page.next_cursor;
  }
  return { items, next_cursor: next ?? null, previous_cursor: null };
}
