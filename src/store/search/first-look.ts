/** The result of reading the beginning of an index. */
export interface FirstLook<Place> {
  places: Place[];
  /** The index met all conditions. */
  isSorted: boolean;
  /** No range of the index had more rows than were read. */
  whole: boolean;
}

/** The queries of a first look. */
export interface FirstLooks<Place> {
  limit: number;
  /** Reads the beginning of the index. `exact`: reads as many rows from each range as are wanted from all ranges. */
  look(exact: boolean): Promise<FirstLook<Place>>;
  /** Returns whether the index has fewer rows than the look reads. */
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
  // Ranges with more rows than their share may have the missing ones.
  return { places: whole ? places : (await look(true)).places, complete: true };
}
