/** How far the stop of a worker came. */
export class Stopping {
  readonly #begin = new AbortController();
  /** The signals of running handlers fired: their failures spend no attempt. */
  aborting = false;
  /** Steps are held in the database that this worker can't give back: the end of its lease does. */
  leftBehind = false;
  /** Running handlers are not waited for. */
  hurried = false;

  /** Nothing new is taken. */
  get begun(): boolean {
    return this.#begin.signal.aborted;
  }

  /** Fires when the stop begins. */
  get signal(): AbortSignal {
    return this.#begin.signal;
  }

  begin(): void {
    this.#begin.abort();
  }
}
