/** A place where a value does not match its schema. */
export interface SchemaViolation {
  /** JSON pointer into the value. Empty for the value itself. */
  path: string;
  /** For example `must be >= 1`. */
  message: string;
}

/** Describes violations, each with its place: `/lines/0/qty must be integer; must have required property 'id'`. */
export function describeViolations(violations: readonly Pick<SchemaViolation, 'path' | 'message'>[]): string {
  return violations.map(({ path, message }) => (path === '' ? message : `${path} ${message}`)).join('; ');
}
