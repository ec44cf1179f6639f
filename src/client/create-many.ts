import { InvalidAnswerError } from './client-errors.ts';
import type { CallOptions } from './client-options.ts';
import { completed, type NewTask, withOption } from './new-task.ts';
import type { Transport } from './transport.ts';
import type { TaskRequestBody } from './types.ts';

/** The result of one of many creations. */
export interface CreatedTask {
  /** The position of the request, from 0. */
  index: number;
  task_uuid?: string;
  /** False if the task existed. */
  created?: boolean;
  outcome?: 'created' | 'returned' | 'replaced';
  /** The rule that returned or replaced a task. Null if neither did. */
  rule?: 'identity' | 'unique' | null;
  /** The task that was cancelled for this one. */
  replaced_task_uuid?: string;
  /** The error, if the task was not created. */
  error?: { code: string; message: string; details?: Record<string, unknown> };
}

/** Options of `tasks.createMany`. */
export interface CreateManyOptions extends CallOptions {
  /** Whether a duplicate is an error, or the existing task is returned. Default `error`. */
  onDuplicate?: 'error' | 'return' | undefined;
}

/** Limits of one request. */
const CHUNK = { lines: 1_000, characters: 4_000_000 };

/** Creates tasks in chunks, and returns the result of each request in order. The next chunk is sent when the loop needs it. */
export async function* createMany(
  transport: Transport,
  requests: Iterable<NewTask> | AsyncIterable<NewTask>,
  { onDuplicate = 'error', ...options }: CreateManyOptions,
): AsyncGenerator<CreatedTask> {
  const send = async (chunk: readonly TaskRequestBody[], text: string) =>
    transport.text({
      method: 'POST',
      path: '/v1/tasks/bulk',
      query: { on_duplicate: onDuplicate },
      text,
      headers: { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' },
      // A repeated request returns the tasks of the first.
      repeatable: onDuplicate === 'return' && chunk.every((one) => one.idempotency_key != null),
      ...options,
    });
  let from = 0;
  let chunk: TaskRequestBody[] = [];
  let text = '';
  for await (const request of requests) {
    const body = completed(request);
    chunk.push(body);
    text += `${JSON.stringify(body)}\n`;
    if (chunk.length < CHUNK.lines && text.length < CHUNK.characters) continue;
    yield* resultsOf(await send(chunk, text), from, chunk.length);
    from += chunk.length;
    chunk = [];
    text = '';
  }
  if (chunk.length > 0) yield* resultsOf(await send(chunk, text), from, chunk.length);
}

type Line = { line: number; done?: undefined } & Omit<CreatedTask, 'index'>;

/** @throws InvalidAnswerError if the response ended early; results received before that are still returned */
function* resultsOf(answer: string, from: number, count: number): Generator<CreatedTask> {
  const lines = answer.split('\n').filter((line) => line !== '');
  let given = 0;
  for (const text of lines.slice(0, count)) {
    const { line, done, ...result } = JSON.parse(text) as Line;
    if (done !== undefined) break;
    given++;
    const { error } = result;
    if (error) result.error = { ...error, message: withOption(error.message, "onDuplicate: 'return'") };
    yield { index: from + line - 1, ...result };
  }
  if (given === count) return;
  const { error } = JSON.parse(lines.at(-1) ?? '{}') as Line;
  throw new InvalidAnswerError(
    `the server returned ${given} of ${count} results${error ? `: ${error.message}` : ''}; send the requests without a result again, from index ${from + given}`,
    true,
    { code: error?.code ?? 'INVALID_ANSWER', details: { from: from + given } },
  );
}
