import { messageOf } from '../../errors.ts';
import { StepExecutionError } from '../../handlers/failures/handler-errors.ts';
import type { StepContextParams } from '../../handlers/step-context-params.ts';
import type { LogBindings, Logger } from '../../logging/logger.ts';
import type { Fields } from '../../model/json.ts';
import { dependencyTooLarge } from '../dispatched-step.ts';
import {
  type Answer,
  type ErrorMessage,
  LOG_LEVELS,
  type LogLevel,
  type Question,
  type StepMessage,
} from './thread-messages.ts';

/** The connection of a context in a thread to its worker. */
export interface ThreadPort {
  ask(question: Question): Promise<Answer>;
  log(level: LogLevel, fields: Fields, message: string): void;
  signal: AbortSignal;
}

/** Returns the context parameters of a step in a thread. Data that is not in the message comes from its worker. */
export function threadParams(step: StepMessage, port: ThreadPort): StepContextParams {
  const { event, dependencies, dependencyNames } = step;
  let saved = step.checkpoint;
  const known = new Set(dependencyNames);
  const tooLarge = (name: string) => dependencyTooLarge({ name: step.step }, name);
  return {
    taskUuid: step.taskUuid,
    stepUuid: step.stepUuid,
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
    templateNames: step.templateNames,
    batchSizes: step.batchSizes,
    get event() {
      if (event) return event;
      throw tooLarge(dependencyNames[0]!);
    },
    get checkpoint() {
      return saved;
    },
    signal: port.signal,
    logger: threadLogger(port, new Set(step.levels), {}),
    dependencyNames: () => [...dependencyNames],
    dependency: (name) => {
      const found = dependencies.get(name);
      if (found || !known.has(name)) return found;
      throw tooLarge(name);
    },
    loadDependency: async (name) => {
      const found = dependencies.get(name);
      if (found || !known.has(name)) return found;
      const answer = await port.ask({ load: name });
      if ('loaded' in answer) return answer.loaded;
      throw rebuilt(answer);
    },
    saveCheckpoint: async (progress) => {
      const answer = await port.ask({ save: progress }).catch((cause: unknown) => {
        throw notSendable(step.step, cause);
      });
      if (!('saved' in answer)) throw rebuilt(answer);
      saved = answer.saved;
    },
    completionToken: async () => {
      const answer = await port.ask({ token: true });
      if ('token' in answer) return answer.token;
      throw rebuilt(answer);
    },
    startTask: async (start) => {
      const answer = await port.ask({ start });
      if ('started' in answer) return answer.started;
      throw rebuilt(answer);
    },
    transaction: () => Promise.reject(noTransaction(step.step)),
  };
}

function rebuilt(answer: Answer): StepExecutionError {
  const { message, errorType, retryable }: ErrorMessage =
    'error' in answer
      ? answer.error
      : { message: 'the worker sent an unexpected response', errorType: 'handler_error', retryable: true };
  return new StepExecutionError(message, { errorType, retryable });
}

function notSendable(step: string, cause: unknown): StepExecutionError {
  const message = `step ${step}: the checkpoint cannot be stored: ${messageOf(cause)}`;
  return new StepExecutionError(message, { errorType: 'checkpoint_error', retryable: false, cause });
}

function noTransaction(step: string): StepExecutionError {
  const message = `step ${step}: context.transaction is not available in a thread, because the connection belongs to the worker; save with context.checkpoint, or remove \`isolation: thread\` from this step`;
  return new StepExecutionError(message, { errorType: 'checkpoint_error', retryable: false });
}

function threadLogger(port: ThreadPort, levels: ReadonlySet<string>, bindings: LogBindings): Logger {
  const line =
    (level: LogLevel) =>
    (first: string | object, message = ''): void => {
      if (!levels.has(level)) return;
      if (typeof first === 'string') port.log(level, bindings, first);
      else port.log(level, { ...bindings, ...first }, message);
    };
  const lines = Object.fromEntries(LOG_LEVELS.map((level) => [level, line(level)])) as Omit<Logger, 'child'>;
  return {
    ...lines,
    child: (more) => threadLogger(port, levels, { ...bindings, ...more }),
    isLevelEnabled: (level) => levels.has(level),
  };
}
