/**
 * Returns the oldest keys of a set or map that has grown beyond `most`. After their removal, nine tenths of `most` are
 * left. Removing keys one by one would be slow, because finding the oldest key costs a step for each key that was
 * removed before it.
 */
export function oldestKeys<Key>(of: { readonly size: number; keys(): Iterator<Key> }, most: number): Key[] {
  if (of.size <= most) return [];
  const keys = of.keys();
  return Array.from({ length: of.size - most + Math.floor(most / 10) }, () => keys.next().value as Key);
}
