/** The value of every type except text, so that a statement that depends on a parser fails. */
export const ODD = Object.freeze({ odd: true });

/** The id of the type text. */
export const TEXT = 25;

/** Parsers for the driver `pg`. */
export const ODD_TYPES = {
  getTypeParser: (type: number) => (type === TEXT ? (value: unknown) => value : () => ODD),
};
