import { WorkerNotInitializedError } from '../../errors.ts';
import type { DispatchChannel } from '../dispatch-channel.ts';

type State =
  | { kind: 'none' }
  | { kind: 'starting' }
  | { kind: 'running'; channel: DispatchChannel }
  | { kind: 'failed'; cause: unknown };

/** Called when the worker of this process runs, or could not start. */
export interface ProcessWorkerListener {
  running(channel: DispatchChannel): void;
  failed?(error: Error): void;
}

/**
 * The worker of this process, for pollers and subscribers that are created without one. A process has one worker at a
 * time, which may start after them.
 */
class ProcessWorker {
  #state: State = { kind: 'none' };
  readonly #listeners = new Set<ProcessWorkerListener>();

  starting(): void {
    this.#state = { kind: 'starting' };
  }

  running(channel: DispatchChannel): void {
    this.#state = { kind: 'running', channel };
    for (const listener of [...this.#listeners]) listener.running(channel);
  }

  failed(cause: unknown): void {
    this.#state = { kind: 'failed', cause };
    for (const listener of [...this.#listeners]) listener.failed?.(this.#startFailure(cause));
  }

  stopped(): void {
    this.#state = { kind: 'none' };
  }

  /** The channel of the worker. @throws WorkerNotInitializedError when no worker runs */
  get channel(): DispatchChannel {
    if (this.#state.kind === 'running') return this.#state.channel;
    this.mustExist();
    throw new WorkerNotInitializedError('the worker is still starting; await bootstrapWorker() first');
  }

  /** The name of the running worker. */
  get name(): string | undefined {
    return this.#state.kind === 'running' ? this.#state.channel.name : undefined;
  }

  /**
   * Checks that a worker runs or is starting. @throws WorkerNotInitializedError when no worker exists; `cause` has the
   * reason why the last worker could not start
   */
  mustExist(): void {
    const state = this.#state;
    if (state.kind === 'none') {
      throw new WorkerNotInitializedError('no worker exists in this process; call bootstrapWorker() first');
    }
    if (state.kind === 'failed') throw this.#startFailure(state.cause);
  }

  /**
   * Calls the listener with the running worker, and with each worker that starts later. Returns a function that removes
   * the listener.
   */
  watch(listener: ProcessWorkerListener): () => void {
    this.#listeners.add(listener);
    if (this.#state.kind === 'running') listener.running(this.#state.channel);
    return () => this.#listeners.delete(listener);
  }

  #startFailure(cause: unknown): WorkerNotInitializedError {
    return new WorkerNotInitializedError('the worker of this process could not start; see the cause', { cause });
  }
}

export const processWorker = new ProcessWorker();
