/** The failure of a step, as expressions read it. */
export interface UndoneError {
  type: string | null;
  message: string;
  code: string | null;
  /** The number of the attempt. */
  attempts: number;
}

/** The step that a step undoes. */
export interface UndoneParams {
  readonly step: string;
  readonly stepUuid: string;
  /** Its last failure. Null if it completed, or was stopped before it failed. */
  readonly error: UndoneError | null;
}

/** The step that a step undoes, with its result. */
export interface Undone extends UndoneParams {
  /** Null if it did not complete. An empty object if an operator resolved it without a result. */
  readonly result: unknown;
}
