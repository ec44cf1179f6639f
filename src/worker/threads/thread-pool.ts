import { messageOf } from '../../errors.ts';
import { lost, PoolThread, type ThreadJob } from './pool-thread.ts';
import { reasonOf } from './thread-step.ts';

/** What the threads of a worker do. */
export interface ThreadStats {
  /** Threads there are; at most `threads`. */
  size: number;
  /** Those that run a step. */
  busy: number;
  /** Steps that wait for a thread. */
  waiting: number;
}

export interface ThreadPoolOptions {
  /** Threads at most. */
  threads: number;
  /** Of each. */
  memoryMb: number | undefined;
}

/** After its signal fired for good, what a handler has to clear up. */
const GRACE_MS = 250;

/**
 * Runs steps in threads, each in one of its own while it lasts. Threads are made when they are needed, and replaced when
 * they were lost: by their own fault, or ended because their step's time was up.
 */
export class ThreadPool {
  readonly #options: ThreadPoolOptions;
  readonly #threads = new Set<PoolThread>();
  #idle: PoolThread[] = [];
  #waiting: ThreadJob[] = [];
  #stopped = false;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
  }

  get stats(): ThreadStats {
    const size = this.#threads.size;
    return { size, busy: size - this.#idle.length, waiting: this.#waiting.length };
  }

  /** Runs it in the next free thread. */
  add(job: ThreadJob): void {
    this.#waiting.push(job);
    this.#next();
  }

  #next(): void {
    while (this.#waiting.length > 0 && !this.#stopped) {
      const thread = this.#idle.pop() ?? this.#moreIfItCan();
      if (!thread) return;
      thread.run(this.#waiting.shift()!);
    }
  }

  /** A machine may have no room for one more thread. Those that there are go on; without any, what waits fails. */
  #moreIfItCan(): PoolThread | undefined {
    try {
      return this.#more();
    } catch (error) {
      if (this.#threads.size > 0) return undefined;
      for (const { step, settled } of this.#waiting.splice(0)) {
        settled(lost(`step ${step.name}: no thread could be made for it: ${messageOf(error)}`));
      }
      return undefined;
    }
  }

  #more(): PoolThread | undefined {
    if (this.#threads.size >= this.#options.threads) return undefined;
    const thread = new PoolThread(this.#options.memoryMb, {
      free: (free) => {
        this.#idle.push(free);
        this.#next();
      },
      gone: (gone) => {
        this.#threads.delete(gone);
        this.#idle = this.#idle.filter((idle) => idle !== gone);
        this.#next();
      },
    });
    this.#threads.add(thread);
    return thread;
  }

  /** The signal of a step fired. False: it had not begun, and will not. */
  abort(job: ThreadJob): boolean {
    const thread = this.#threadOf(job);
    thread?.abort(reasonOf(job.step.signal));
    return thread !== undefined;
  }

  /** Nobody waits for a step any more: its thread is ended soon. False: no thread runs it, nor will one. */
  end(job: ThreadJob): boolean {
    const thread = this.#threadOf(job);
    if (thread) setTimeout(() => void (thread.job === job && thread.kill()), GRACE_MS).unref();
    return thread !== undefined;
  }

  /** The thread that runs it; where none does, none will. */
  #threadOf(job: ThreadJob): PoolThread | undefined {
    const thread = [...this.#threads].find((one) => one.job === job);
    if (!thread) this.#waiting = this.#waiting.filter((waiting) => waiting !== job);
    return thread;
  }

  /** Ends all threads, whatever they do; what becomes of their steps is told to nobody. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting = [];
    await Promise.all([...this.#threads].map((thread) => thread.discard()));
  }
}
