/** The schema of PostgreSQL that contains all tables, unless another one is configured. */
export const DEFAULT_SCHEMA = 'tasker';

/** The rule, as a string that follows "must be". Channels are the name and a suffix, and PostgreSQL limits both to 63. */
export const SCHEMA_RULE =
  'the name of a PostgreSQL schema: 1 to 40 lower-case letters, digits and underscores, not beginning with a digit or pg_, and not public or information_schema';

const NAME = /^(?!pg_)(?!(?:public|information_schema)$)[a-z_][a-z0-9_]{0,39}$/;

/** Returns whether a string is a valid name of a schema. */
export function isSchemaName(text: string): boolean {
  return NAME.test(text);
}
