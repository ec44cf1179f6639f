import { Worker as Thread } from 'node:worker_threads';
import { messageOf } from '../../errors.ts';
import { StepHandlerResult } from '../../handlers/step-handler.ts';
import type { Logger } from '../../logging/logger.ts';
import type { HandlerOrigin } from '../../registry/handler-origin.ts';
import type { DispatchedStep } from '../dispatched-step.ts';
import { threadFile, threadFlags } from './thread-file.ts';
import type { Answer, FromThread, Question, Reason, ResultMessage, ToThread } from './thread-messages.ts';
import { errorMessage, stepMessage } from './thread-step.ts';

/** A step that runs in a thread, and what becomes of it. */
export interface ThreadJob {
  step: DispatchedStep;
  origin: HandlerOrigin;
  method: string | null;
  /** A thread begins with it now. */
  begins(): void;
  settled(result: StepHandlerResult): void;
}

/** A failure whose thread was lost. */
export const THREAD_LOST = 'thread_lost';

/** One thread of a pool and the step that it runs. It ends with the first thing that ends the thread. */
export class PoolThread {
  readonly #thread: Thread;
  readonly #memoryMb: number | undefined;
  readonly #gone: (thread: PoolThread) => void;
  readonly #free: (thread: PoolThread) => void;
  /** Settles when the thread is gone. */
  readonly ended: Promise<void>;
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
    this.#thread = new Thread(threadFile('threads/handler-thread'), {
      execArgv: threadFlags(),
      ...(memoryMb !== undefined && { resourceLimits: { maxOldGenerationSizeMb: memoryMb } }),
    });
    // What a thread does is waited for by its step; an idle one keeps no process alive.
    this.#thread.unref();
    this.#thread.on('message', (said: FromThread) => this.#heard(said));
    this.#thread.on('messageerror', (error) => this.#lose(error));
    this.#thread.on('error', (error) => {
      this.#error = error;
    });
    this.ended = new Promise((resolve) =>
      this.#thread.once('exit', (code) => {
        this.#exited(code);
        resolve();
      }),
    );
  }

  get job(): ThreadJob | undefined {
    return this.#job;
  }

  run(job: ThreadJob): void {
    this.#job = job;
    this.#logger = job.step.logger;
    job.begins();
    try {
      this.#tell({
        kind: 'run',
        run: ++this.#run,
        origin: job.origin,
        method: job.method,
        step: stepMessage(job.step),
      });
    } catch (error) {
      this.#settle(lost(`step ${job.step.name} can't be sent to a thread: ${messageOf(error)}`));
    }
  }

  /** Its signal fires. */
  abort(reason: Reason): void {
    this.#tell({ kind: 'abort', run: this.#run, reason });
  }

  /** Ends the thread, whatever it does. */
  async kill(): Promise<void> {
    await this.#thread.terminate();
  }

  /** Ends it without a word about its step. */
  discard(): Promise<void> {
    this.#job = undefined;
    return this.kill();
  }

  #lose(error: unknown): void {
    this.#error = error;
    void this.kill();
  }

  #tell(message: ToThread): void {
    this.#thread.postMessage(message);
  }

  #heard(said: FromThread): void {
    const job = this.#job;
    if (!job || said.run !== this.#run) return;
    if (said.kind === 'log') this.#logger?.[said.level](said.fields, said.message);
    else if (said.kind === 'settled') this.#settle(resultOf(said.result));
    else void this.#answer(job.step, said.question, said.asks);
  }

  async #answer(step: DispatchedStep, question: number, asks: Question): Promise<void> {
    const run = this.#run;
    let answer: Answer;
    try {
      if ('load' in asks) answer = { loaded: await step.loadDependency(asks.load) };
      else {
        await step.saveCheckpoint(asks.save);
        answer = { saved: step.checkpoint };
      }
    } catch (error) {
      answer = { error: errorMessage(error) };
    }
    this.#tell({ kind: 'answer', run, question, answer });
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
        'the thread of a step was ended by an error that nobody caught, after its handler had settled',
      );
    }
  }

  #whyLost(step: string, code: number): string {
    const error = this.#error;
    if ((error as { code?: unknown } | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
      const bound = this.#memoryMb === undefined ? '' : ` of ${this.#memoryMb} MB`;
      return `step ${step}: its thread ran out of its memory${bound}; raise threadMemoryMb, or let it do less at a time`;
    }
    if (error !== undefined) {
      return `step ${step}: its thread was ended by an error that nobody caught: ${messageOf(error)}`;
    }
    return `step ${step}: its thread ended while the handler ran, with exit code ${code}; a handler must not call process.exit`;
  }
}

/** What becomes of a step whose thread was lost. */
export function lost(message: string): StepHandlerResult {
  return StepHandlerResult.failure({ message, errorType: THREAD_LOST, retryable: true });
}

function resultOf({ json, ...parts }: ResultMessage): StepHandlerResult {
  return new StepHandlerResult({ ...parts, result: JSON.parse(json) as object | null });
}
