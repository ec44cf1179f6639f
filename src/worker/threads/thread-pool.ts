import { Worker as Thread } from 'node:worker_threads';
import { messageOf } from '../../errors.ts';
import type { DependencyResultParams } from '../../handlers/dependency-result.ts';
import { isStepExecutionError } from '../../handlers/failures/handler-errors.ts';
import { StepHandlerResult } from '../../handlers/step-handler.ts';
import type { Logger } from '../../logging/logger.ts';
import type { HandlerOrigin } from '../../registry/handler-origin.ts';
import type { DispatchedStep } from '../dispatched-step.ts';
import { threadFile, threadFlags } from './thread-file.ts';
import {
  type Answer,
  type ErrorMessage,
  type FromThread,
  LOG_LEVELS,
  type Question,
  type Reason,
  type ResultMessage,
  type StepMessage,
  type ToThread,
} from './thread-messages.ts';

/** The current state of a worker's threads. */
export interface ThreadStats {
  /** Number of threads, at most `threads`. */
  size: number;
  /** Number of threads that run a step. */
  busy: number;
  /** Number of steps that wait for a thread. */
  waiting: number;
}

export interface ThreadPoolOptions {
  /** Maximum number of threads. */
  threads: number;
  /** Heap limit of each thread, in megabytes. Undefined for Node's own limit. */
  memoryMb: number | undefined;
}

/** Time for a handler to clean up after its step has ended. Its thread is then ended. */
const GRACE_MS = 250;

/**
 * Runs steps in threads, one step per thread at a time. Threads are started on demand. A thread that was lost, or ended
 * because its step timed out, is replaced.
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

  /** Runs the step in the next free thread. */
  add(job: ThreadJob): void {
    this.#waiting.push(job);
    this.#next();
  }

  #next(): void {
    while (this.#waiting.length > 0 && !this.#stopped) {
      const thread = this.#idle.pop() ?? this.#tryToAddThread();
      if (!thread) return;
      thread.run(this.#waiting.shift()!);
    }
  }

  /**
   * Starts another thread if possible. If it cannot be started, the existing threads continue. If there are none, the
   * waiting steps fail.
   */
  #tryToAddThread(): PoolThread | undefined {
    try {
      return this.#addThread();
    } catch (error) {
      if (this.#threads.size > 0) return undefined;
      for (const { step, settled } of this.#waiting.splice(0)) {
        settled(lost(`step ${step.name}: no thread could be started for it: ${messageOf(error)}`));
      }
      return undefined;
    }
  }

  #addThread(): PoolThread | undefined {
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

  /** Called when the signal of a step fired. Returns false if the step was not started and will not be. */
  abort(job: ThreadJob): boolean {
    const thread = this.#threadOf(job);
    thread?.abort(reasonOf(job.step.signal));
    return thread !== undefined;
  }

  /** Called when a step has ended. Ends its thread soon. Returns false if no thread runs the step or will run it. */
  end(job: ThreadJob): boolean {
    const thread = this.#threadOf(job);
    if (thread) setTimeout(() => void (thread.job === job && thread.kill()), GRACE_MS).unref();
    return thread !== undefined;
  }

  /** Returns the thread that runs a step. A step that still waits for a thread is removed. */
  #threadOf(job: ThreadJob): PoolThread | undefined {
    const thread = [...this.#threads].find((one) => one.job === job);
    if (!thread) this.#waiting = this.#waiting.filter((waiting) => waiting !== job);
    return thread;
  }

  /** Ends all threads without settling their steps. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting = [];
    await Promise.all([...this.#threads].map((thread) => thread.discard()));
  }
}

/** A step that should run in a thread. */
export interface ThreadJob {
  step: DispatchedStep;
  origin: HandlerOrigin;
  method: string | null;
  /** Called when a thread starts it. */
  begins(): void;
  settled(result: StepHandlerResult): void;
}

/** The error type of a step whose thread was lost. */
const THREAD_LOST = 'thread_lost';

/** One thread of a pool, and the step that it runs. */
class PoolThread {
  readonly #thread: Thread;
  readonly #memoryMb: number | undefined;
  readonly #gone: (thread: PoolThread) => void;
  readonly #free: (thread: PoolThread) => void;
  #job: ThreadJob | undefined;
  #logger: Logger | undefined;
  #run = 0;
  #error: unknown;

  constructor(
    memoryMb: number | undefined,
    { free, gone }: { free(thread: PoolThread): void; gone(thread: PoolThread): void },
  ) {
    this.#memoryMb = memoryMb;
    this.#free = free;
    this.#gone = gone;
    this.#thread = new Thread(threadFile('handler-thread'), {
      execArgv: threadFlags(),
      ...(memoryMb !== undefined && { resourceLimits: { maxOldGenerationSizeMb: memoryMb } }),
    });
    // A running step keeps the process alive. An idle thread must not.
    this.#thread.unref();
    this.#thread.on('message', (message: FromThread) => this.#received(message));
    this.#thread.on('messageerror', (error) => this.#lose(error));
    this.#thread.on('error', (error) => {
      this.#error = error;
    });
    this.#thread.once('exit', (code) => this.#exited(code));
  }

  get job(): ThreadJob | undefined {
    return this.#job;
  }

  run(job: ThreadJob): void {
    this.#job = job;
    this.#logger = job.step.logger;
    job.begins();
    try {
      this.#send({
        kind: 'run',
        run: ++this.#run,
        origin: job.origin,
        method: job.method,
        step: stepMessage(job.step),
      });
    } catch (error) {
      this.#settle(lost(`step ${job.step.name} cannot be sent to a thread: ${messageOf(error)}`));
    }
  }

  /** Fires the signal of its step. */
  abort(reason: Reason): void {
    this.#send({ kind: 'abort', run: this.#run, reason });
  }

  /** Ends the thread, even if its handler still runs. */
  async kill(): Promise<void> {
    await this.#thread.terminate();
  }

  /** Ends the thread without settling its step. */
  discard(): Promise<void> {
    this.#job = undefined;
    return this.kill();
  }

  #lose(error: unknown): void {
    this.#error = error;
    void this.kill();
  }

  #send(message: ToThread): void {
    this.#thread.postMessage(message);
  }

  #received(message: FromThread): void {
    const job = this.#job;
    if (!job || message.run !== this.#run) return;
    if (message.kind === 'log') this.#logger?.[message.level](message.fields, message.message);
    else if (message.kind === 'settled') this.#settle(resultOf(message.result));
    else void this.#answer(job.step, message.question, message.asks);
  }

  async #answer(step: DispatchedStep, question: number, asks: Question): Promise<void> {
    const run = this.#run;
    let answer: Answer;
    try {
      if ('load' in asks) answer = { loaded: await step.loadDependency(asks.load) };
      else if ('token' in asks) answer = { token: await step.completionToken() };
      else if ('start' in asks) answer = { started: await step.startTask(asks.start) };
      else {
        await step.saveCheckpoint(asks.save);
        answer = { saved: step.checkpoint };
      }
    } catch (error) {
      answer = { error: errorMessage(error) };
    }
    this.#send({ kind: 'answer', run, question, answer });
  }

  #settle(result: StepHandlerResult): void {
    const job = this.#job;
    this.#job = undefined;
    job?.settled(result);
    this.#free(this);
  }

  #exited(code: number): void {
    const job = this.#job;
    this.#job = undefined;
    this.#gone(this);
    if (job) job.settled(lost(this.#whyLost(job.step.name, code)));
    else if (this.#error !== undefined) {
      this.#logger?.warn(
        { error: messageOf(this.#error) },
        'an uncaught error ended the thread of a step after its handler had settled',
      );
    }
  }

  #whyLost(step: string, code: number): string {
    const error = this.#error;
    if ((error as { code?: unknown } | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
      const bound = this.#memoryMb === undefined ? '' : ` of ${this.#memoryMb} MB`;
      return `step ${step}: its thread exceeded its memory limit${bound}; raise threadMemoryMb, or process less at a time`;
    }
    if (error !== undefined) {
      return `step ${step}: its thread was ended by an uncaught error: ${messageOf(error)}`;
    }
    return `step ${step}: its thread ended while the handler ran, with exit code ${code}; a handler must not call process.exit`;
  }
}

/** The failure of a step whose thread was lost. */
function lost(message: string): StepHandlerResult {
  return StepHandlerResult.failure({ message, errorType: THREAD_LOST, retryable: true });
}

function resultOf({ json, ...parts }: ResultMessage): StepHandlerResult {
  return new StepHandlerResult({ ...parts, result: JSON.parse(json) as object | null });
}

/** Returns the message that starts a step in a thread. For results that are too large, it contains only the names. */
function stepMessage(step: DispatchedStep): StepMessage {
  const dependencyNames = step.dependencyNames();
  const dependencies = new Map<string, DependencyResultParams>();
  if (!step.lazy) for (const name of dependencyNames) dependencies.set(name, step.dependency(name)!);
  const { logger, signal } = step;
  return {
    taskUuid: step.taskUuid,
    stepUuid: step.stepUuid,
    step: step.name,
    handlerName: step.handlerName,
    correlationId: step.correlationId,
    traceparent: step.traceparent,
    inputData: step.inputData,
    stepConfig: step.stepConfig,
    stepInputs: step.stepInputs,
    retryCount: step.retryCount,
    maxRetries: step.maxRetries,
    rerun: step.rerun,
    undo: step.undo,
    schedule: step.schedule,
    checkpoint: step.checkpoint,
    templateNames: step.templateNames,
    batchSizes: step.batchSizes,
    dependencyNames,
    dependencies,
    ...(!step.lazy && { event: step.event }),
    levels: LOG_LEVELS.filter((level) => logger.isLevelEnabled?.(level) ?? true),
    ...(signal.aborted && { aborted: reasonOf(signal) }),
  };
}

function reasonOf({ reason }: AbortSignal): Reason {
  const name: unknown = (reason as { name?: unknown } | null)?.name;
  return { name: typeof name === 'string' ? name : 'AbortError', message: messageOf(reason) };
}

/** Returns an error as plain data, with its type and whether it is retryable. */
function errorMessage(error: unknown): ErrorMessage {
  const known = isStepExecutionError(error) ? error : undefined;
  return {
    message: messageOf(error),
    errorType: known?.errorType ?? 'handler_error',
    retryable: known?.retryable ?? true,
  };
}
