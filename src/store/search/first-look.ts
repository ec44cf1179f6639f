/** What a look through the beginning of an index found. */
export interface FirstLook<Place> {
  places: Place[];
  /** The index met all conditions. */
  isSorted: boolean;
  /** No range of the index had more than was read of it. */
  whole: boolean;
}

/** Steps of a first look. */
export interface FirstLooks<Place> {
  limit: number;
  /** `exact`: reads as much of each range as is wanted of all. */
  look(exact: boolean): Promise<FirstLook<Place>>;
  /** Whether the index has fewer rows than the look goes through. */
  hasFewer(): Promise<boolean>;
}

/** Looks through the beginning of an index. `complete`: there are no others. */
export async function firstLook<Place>({
  limit,
  look,
  hasFewer,
}: FirstLooks<Place>): Promise<{ places: Place[]; complete: boolean }> {
  const { places, isSorted, whole } = await look(false);
  if (places.length >= limit) return { places, complete: isSorted };
  if (!isSorted && !(await hasFewer())) return { places, complete: false };
  // Ranges that had more than their share may have what is missing.
  return { places: whole ? places : (await look(true)).places, complete: true };
}
