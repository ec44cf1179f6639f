import { WorkerNotInitializedError } from '../../errors/worker-errors.ts';
import type { DispatchChannel } from '../dispatch-channel.ts';

type State =
  | { kind: 'none' }
  | { kind: 'starting' }
  | { kind: 'running'; channel: DispatchChannel }
  | { kind: 'failed'; cause: unknown };

/** Who wants to know when the worker of this process runs. */
export interface ProcessWorkerListener {
  running(channel: DispatchChannel): void;
  failed?(error: Error): void;
}

/**
 * The worker of this process, as pollers and subscribers see it that are made without one: there is one at a time, and
 * it may start after them.
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
    for (const listener of [...this.#listeners]) listener.failed?.(this.#whyNone(cause));
  }

  stopped(): void {
    this.#state = { kind: 'none' };
  }

  /** @throws WorkerNotInitializedError when none runs */
  get channel(): DispatchChannel {
    if (this.#state.kind === 'running') return this.#state.channel;
    this.mustExist();
    throw new WorkerNotInitializedError('the worker is still starting; await bootstrapWorker() first');
  }

  /** The name of the worker that runs. */
  get name(): string | undefined {
    return this.#state.kind === 'running' ? this.#state.channel.name : undefined;
  }

  /** @throws WorkerNotInitializedError when none runs and none is being started; its cause is why the last one did not start */
  mustExist(): void {
    const state = this.#state;
    if (state.kind === 'none') {
      throw new WorkerNotInitializedError('there is no worker in this process; call bootstrapWorker() first');
    }
    if (state.kind === 'failed') throw this.#whyNone(state.cause);
  }

  /** Calls the listener with the worker that runs, and with each that starts later. The answer ends it. */
  watch(listener: ProcessWorkerListener): () => void {
    this.#listeners.add(listener);
    if (this.#state.kind === 'running') listener.running(this.#state.channel);
    return () => this.#listeners.delete(listener);
  }

  #whyNone(cause: unknown): WorkerNotInitializedError {
    return new WorkerNotInitializedError('the worker of this process could not start; see the cause', { cause });
  }
}

export const processWorker = new ProcessWorker();
