/** One page of a list. `next`: the cursor of the next page, or null. */
export interface Page<T> {
  items: readonly T[];
  next: string | null | undefined;
}

/** Returns the items of all pages. A page is read when the loop reaches it. */
export async function* items<T>(read: (cursor: string | undefined) => Promise<Page<T>>): AsyncGenerator<T> {
  let cursor: string | undefined;
  for (;;) {
    const page = await read(cursor);
    yield* page.items;
    // A repeated cursor would make the list endless.
    if (page.next == null || page.next === cursor) return;
    cursor = page.next;
  }
}
