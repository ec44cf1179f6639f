/** A request: the values of the parameters in its path, its query, and its body. */
export interface Row {
  params?: Record<string, string>;
  query?: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** Whether the request is sent to a server that requires a credential. Default false. */
  secured?: boolean;
}

/** The requests of an operation by the status of their responses. `ok` stands for the first documented success. */
export interface Rows {
  ok: Row[];
  201?: Row[];
  202?: Row[];
  400?: Row[];
  403?: Row[];
  404?: Row[];
  409?: Row[];
}

/** The requests of several operations, by `operationId`. */
export type Table = Record<string, Rows>;

/** An id that does not exist. */
export const UNKNOWN = '019b0000-0000-7000-8000-000000000000';
/** The body of an action. */
export const ACT = { by: 'ana', reason: 'to see' };
