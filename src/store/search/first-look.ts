/** The result of reading the beginning of an index. */
export interface FirstLook<Place> {
  places: Place[];
  /** Whether the index covered all conditions. */
  isSorted: boolean;
  /** Whether no range of the index had more rows than were read. */
  whole: boolean;
}

/** The queries of a first scan. */
export interface FirstLooks<Place> {
  limit: number;
  /** Reads the beginning of the index. `exact`: reads as many rows from each range as are wanted in total. */
  look(exact: boolean): Promise<FirstLook<Place>>;
  /** Returns whether the index has fewer rows than the first scan reads. */
  hasFewer(): Promise<boolean>;
}

/** Reads the beginning of an index. `complete`: there are no other matches. */
export async function firstLook<Place>({
  limit,
  look,
  hasFewer,
}: FirstLooks<Place>): Promise<{ places: Place[]; complete: boolean }> {
  const { places, isSorted, whole } = await look(false);
  if (places.length >= limit) return { places, complete: isSorted };
  if (!isSorted && !(await hasFewer())) return { places, complete: false };
  // The missing rows may be in ranges with more rows than their share.
  return { places: whole ? places : (await look(true)).places, complete: true };
}
