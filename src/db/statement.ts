/** A statement: its text is a constant, its name lets a connection plan it once. */
export interface Statement {
  name: string;
  text: string;
}

/** Rows of a statement. `jsonb` arrives as text: who reads it decides when to parse. */
export interface Rows<Row> {
  rows: Row[];
  /** The command that ran: `SELECT`, `COMMIT`, `ROLLBACK` … */
  command: string;
}

/** Something that takes statements: the pool, or a transaction on one connection. */
export interface Db {
  query<Row>(statement: Statement, values?: readonly unknown[]): Promise<Rows<Row>>;
}
