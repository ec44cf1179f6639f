import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../errors.ts';
import { ErrorType } from '../../handlers/failures/handler-errors.ts';
import {
  type StoredOrchestrationMetadata,
  storedOrchestrationMetadata,
} from '../../handlers/orchestration-metadata.ts';
import { resultOfThrown } from '../../handlers/outcome.ts';
import { StepContext } from '../../handlers/step-context.ts';
import { type ExecutableHandler, StepHandlerResult } from '../../handlers/step-handler.ts';
import { type Fields, storableJson } from '../../model/json.ts';
import { makerOf } from '../../registry/explicit-mapping-resolver.ts';
import { type HandlerOrigin, handlersIn } from '../../registry/handler-origin.ts';
import { withMethod } from '../../registry/method-dispatch.ts';
import { ResolutionError } from '../../registry/resolution-errors.ts';
import { openTracing } from '../../tracing/tracing.ts';
import { callHandler, checkedResult } from '../run-step.ts';
import { threadParams } from './thread-context.ts';
import type { Answer, FromThread, ResultMessage, ToThread } from './thread-messages.ts';

// The program of the threads that run handlers, one step at a time. Their context has everything except transactions.

type Run = Extract<ToThread, { kind: 'run' }>;

interface Running {
  run: number;
  abort: AbortController;
  questions: Map<number, (answer: Answer) => void>;
}

process.setSourceMapsEnabled(true);
const port = parentPort!;
const makers = new Map<string, () => ExecutableHandler>();
let running: Running | undefined;
let asked = 0;

port.on('message', (message: ToThread) => {
  if (message.kind === 'run') void begin(message);
  else if (message.run !== running?.run) return;
  else if (message.kind === 'abort') running.abort.abort(new DOMException(message.reason.message, message.reason.name));
  else {
    running.questions.get(message.question)?.(message.answer);
    running.questions.delete(message.question);
  }
});

async function begin({ run, origin, method, step }: Run): Promise<void> {
  const mine: Running = { run, abort: new AbortController(), questions: new Map() };
  running = mine;
  if (step.aborted) mine.abort.abort(new DOMException(step.aborted.message, step.aborted.name));
  try {
    const made = (await makerAt(origin))();
    const handler = method === null ? made : withMethod(made, method);
    const context = new StepContext(
      threadParams(step, {
        signal: mine.abort.signal,
        ask: (asks) =>
          new Promise((resolve) => {
            const question = ++asked;
            mine.questions.set(question, resolve);
            send({ kind: 'question', run, question, asks });
          }),
        log: (level, fields, message) => log({ kind: 'log', run, level, fields, message }),
      }),
    );
    // The module of the handler may have registered an OpenTelemetry SDK in this thread.
    const tracing = await openTracing();
    const within = tracing && ((call: () => unknown) => tracing.runWithin(step.traceparent, call));
    callHandler(handler, context, (result) => settled(run, step.step, result), within);
  } catch (thrown) {
    settled(run, step.step, resultOfThrown(thrown));
  }
}

/** Returns the function that creates the handler at this place of a module. A module is loaded once. */
async function makerAt({ url, index }: HandlerOrigin): Promise<() => ExecutableHandler> {
  const key = `${index} ${url}`;
  const before = makers.get(key);
  if (before) return before;
  const module = await imported(url);
  const found = handlersIn(module)[index];
  const name = typeof found === 'function' ? found.handlerName : (found?.name ?? url);
  const maker = makerOf(name, found);
  if (!maker) throw new ResolutionError(`${url} exports different handlers in a thread than in the worker`);
  makers.set(key, maker);
  return maker;
}

async function imported(url: string): Promise<Fields> {
  try {
    return (await import(url)) as Fields;
  } catch (cause) {
    throw new ResolutionError(`handlers file ${url}: importing it in a thread failed: ${messageOf(cause)}`, { cause });
  }
}

function settled(run: number, step: string, result: StepHandlerResult): void {
  try {
    send({ kind: 'settled', run, result: resultMessage(step, result) });
  } catch (thrown) {
    const message = `step ${step}: the result cannot be sent from its thread: ${messageOf(thrown)}`;
    const again = !result.success && result.retryable;
    const errorType = again ? ErrorType.RETRYABLE_ERROR : ErrorType.PERMANENT_ERROR;
    const failure = StepHandlerResult.failure({ message, errorType, retryable: again });
    send({ kind: 'settled', run, result: resultMessage(step, failure) });
  }
}

/** Checks and serializes the result in the thread, which has the object that the handler returned. */
function resultMessage(step: string, given: StepHandlerResult): ResultMessage {
  const { result, json } = checkedResult(given, { step });
  const metadata = storableJson(result.metadata, { name: 'metadata', maxBytes: 1_048_576 });
  const stored = result.orchestrationMetadata && storedOrchestrationMetadata(result.orchestrationMetadata);
  return {
    json,
    success: result.success,
    errorMessage: result.errorMessage,
    errorType: result.errorType,
    errorCode: result.errorCode,
    retryable: result.retryable,
    metadata: metadata.ok
      ? (JSON.parse(metadata.json) as Fields)
      : { metadata_left_out: `${metadata.path}: ${metadata.reason}` },
    // Sent as plain data, because an instance of a class may have functions, which cannot be sent.
    orchestrationMetadata: stored && (JSON.parse(JSON.stringify(stored)) as StoredOrchestrationMetadata),
    retryAfter: result.retryAfter,
    backtrace: result.backtrace,
    statusCode: result.statusCode,
    wait: result.wait,
  };
}

/** Sends a log line. Fields that cannot be sent are converted to JSON. */
function log(line: Extract<FromThread, { kind: 'log' }>): void {
  try {
    send(line);
  } catch {
    const stored = storableJson(line.fields, { name: 'fields', maxBytes: 1_048_576 });
    send({
      ...line,
      fields: stored.ok ? (JSON.parse(stored.json) as Fields) : { fields: `${stored.path}: ${stored.reason}` },
    });
  }
}

function send(message: FromThread): void {
  port.postMessage(message);
}
