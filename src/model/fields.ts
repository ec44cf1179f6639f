/** An object by its keys, as JSON has it. */
export type Fields = Record<string, unknown>;

/** Whether a value is an object that is not an array. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
