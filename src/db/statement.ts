/** A statement. Its text is constant. Its name lets a connection prepare it once. */
export interface Statement {
  name: string;
  text: string;
  /**
   * Whether the text was written for a single call. It is then sent without its name, so that the connection does not
   * keep a plan for it.
   */
  once?: true;
}

/** The result of a statement. `jsonb` is returned as text, and the caller parses it when needed. */
export interface Rows<Row> {
  rows: Row[];
  /** The command that was run: `SELECT`, `COMMIT`, `ROLLBACK` … */
  command: string;
}

/** Runs statements: the pool, or a transaction on one connection. */
export interface Db {
  query<Row>(statement: Statement, values?: readonly unknown[]): Promise<Rows<Row>>;
}
