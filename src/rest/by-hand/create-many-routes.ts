import { OpenAPIHono, z } from '@hono/zod-openapi';
import { type CreatedOrNot, createEach } from '../../app/server/create-each.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskRequestSchema } from '../../contract/schemas/tasks.ts';
import { NDJSON, tasks } from '../../contract/tasks.ts';
import type { TaskRequest } from '../../engine/create-task.ts';
import { isTaskerError, messageOf, TaskerError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { wireError } from '../../server/error-answer.ts';
import { requestedTemplate } from '../../template/template-name.ts';
import { notExact } from '../body-text.ts';
import { type Caller, callerOf } from '../caller.ts';
import { changedNumber } from '../changed-number.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { maySee, withoutHints } from '../scope.ts';
import { mayGetExisting, notShown, shownConflict } from './creation-conflict.ts';
import { type Line, readLines } from './read-lines.ts';
import { requestOf } from './task-routes.ts';

/** The largest request line: a context of 1 MB, with room for escapes. */
const LONGEST_LINE = 4 * 1024 * 1024;
const MOST_LINES = 100_000;
/** Maximum number of tasks, and of bytes, in one transaction. */
const CHUNK_LINES = 500;
const CHUNK_BYTES = 4 * 1024 * 1024;
/** If the sender pauses for this long, it gets the results of the lines so far. */
const PAUSE_MS = 20;
/** If the sender is silent for this long, it is considered disconnected. */
const SILENT_MS = 30_000;
/**
 * Maximum size of results that wait for the client. The size suffices for clients that read only after they have sent
 * all lines.
 */
const WAITING_BYTES = 16 * 1024 * 1024;
const LONGEST_MESSAGE = 1_000;
const LONGEST_DETAILS = 1_000;

const CREATE_MANY = describeRoute(tasks.createMany);
// Each line has its own limit, and is rejected on its own.
delete (CREATE_MANY.responses as Record<number, unknown>)[413];
Object.assign(CREATE_MANY.responses, {
  200: {
    description:
      'A line for each request: `{"line": 1, "task_uuid": "…", "created": true, "outcome": "created", "rule": null}` or `{"line": 2, "error": {…}}`. The last line has the counts: `{"done": true, "lines": 2, "created": 1, "existing": 0, "failed": 1}`.',
    content: { [NDJSON]: { schema: z.string() } },
  },
});

/** The route that creates many tasks. */
export function createManyRoutes(tasker: Tasker, logger: Logger): OpenAPIHono {
  const most = Math.max(1, Math.floor(tasker.vitals.poolSize / 2));
  let open = 0;
  return new OpenAPIHono({ defaultHook: refuseInvalid }).openapi(CREATE_MANY, (c) => {
    const { on_duplicate: onDuplicate } = c.req.valid('query');
    if (open >= most) {
      throw new TaskerError('backpressure', `${open} bulk creations are in progress; try again later`, {
        details: { retry_after_seconds: 1 },
      });
    }
    open++;
    const body = c.req.raw.body ?? new Blob([]).stream();
    const creation = new BulkCreation({ tasker, logger, caller: callerOf(c), onDuplicate }, body, () => open--);
    return c.body(creation.results(), 200, { 'content-type': NDJSON }) as never;
  });
}

/** The parts of a {@link BulkCreation}. */
interface BulkCreationParts {
  tasker: Tasker;
  logger: Logger;
  caller: Caller;
  onDuplicate: 'error' | 'return';
}

const SILENT = Symbol('silent');
type Read = IteratorResult<Line[]>;

/** Creates the tasks of a body, chunk by chunk, as fast as the client reads the results. */
class BulkCreation {
  readonly #parts: BulkCreationParts;
  readonly #lines: AsyncGenerator<Line[]>;
  readonly #over: () => void;
  #reading: Promise<Read> | undefined;
  /** Lines that were read, but belong to a later chunk. */
  #waiting: Line[] = [];
  #counts = { lines: 0, created: 0, existing: 0, failed: 0 };

  constructor(parts: BulkCreationParts, body: ReadableStream<Uint8Array>, over: () => void) {
    this.#parts = parts;
    this.#lines = readLines(body, LONGEST_LINE);
    let isOver = false;
    this.#over = () => {
      if (!isOver) over();
      isOver = true;
    };
  }

  results(): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { texts, ended } = await this.#next();
          controller.enqueue(encoder.encode(texts.join('')));
          if (!ended) return;
          this.#over();
          controller.close();
        },
        cancel: () => this.#end(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: WAITING_BYTES }),
    );
  }

  /** Creates the tasks of the next chunk. Returns the lines of the response. */
  async #next(): Promise<{ texts: string[]; ended: boolean }> {
    let texts: string[] = [];
    try {
      const { chunk, ended } = await this.#chunk();
      texts = (await this.#create(chunk)).map(jsonLine);
      if (!ended) return { texts, ended };
      return { texts: [...texts, jsonLine({ done: true, ...this.#counts })], ended };
    } catch (error) {
      this.#end();
      const known = isTaskerError(error)
        ? (error as TaskerError)
        : new TaskerError(
            'database_unreachable',
            'the remaining lines were not processed; send the lines without a result again',
            {
              cause: error,
            },
          );
      this.#parts.logger.warn({ error: messageOf(error), ...this.#counts }, 'bulk creation ended early');
      return { texts: [...texts, jsonLine({ done: false, ...this.#counts, error: shortError(known) })], ended: true };
    }
  }

  #end(): void {
    this.#over();
    // The client may have closed the body already.
    this.#lines.return(undefined).catch(() => undefined);
  }

  /** Reads lines until the chunk is full, the sender pauses, or the body ends. */
  async #chunk(): Promise<{ chunk: Line[]; ended: boolean }> {
    const chunk: Line[] = [];
    let bytes = 0;
    for (;;) {
      let at = 0;
      for (; at < this.#waiting.length && chunk.length < CHUNK_LINES && bytes < CHUNK_BYTES; at++) {
        const line = this.#waiting[at]!;
        bytes += line.bytes;
        chunk.push(line);
      }
      this.#waiting = this.#waiting.slice(at);
      if (this.#waiting.length > 0 || chunk.length === CHUNK_LINES || bytes >= CHUNK_BYTES)
        return { chunk, ended: false };
      const read = await this.#read(chunk.length > 0 ? PAUSE_MS : SILENT_MS);
      if (read === SILENT) {
        if (chunk.length > 0) return { chunk, ended: false };
        throw new TaskerError('timeout', `no line has arrived for ${SILENT_MS / 1000} seconds`);
      }
      if (read.done) return { chunk, ended: true };
      this.#waiting = read.value;
    }
  }

  async #read(ms: number): Promise<Read | typeof SILENT> {
    this.#reading ??= this.#lines.next();
    let timer: NodeJS.Timeout | undefined;
    const silent = new Promise<typeof SILENT>((resolve) => {
      timer = setTimeout(() => resolve(SILENT), ms);
    });
    const read = await Promise.race([this.#reading, silent]).finally(() => clearTimeout(timer));
    if (read !== SILENT) this.#reading = undefined;
    return read;
  }

  async #create(chunk: readonly Line[]): Promise<object[]> {
    const { tasker, caller, onDuplicate } = this.#parts;
    if (chunk.length > 0 && chunk.at(-1)!.number > MOST_LINES) {
      throw new TaskerError('bad_request', `more than ${MOST_LINES} lines; send the rest in another request`);
    }
    const read = chunk.map((line) => readRequest(line, caller));
    const requests = read.flatMap((one) => ('request' in one ? [one.request] : []));
    const outcomes = await this.#visible(requests, await createEach(tasker, requests, onDuplicate));
    let at = 0;
    return chunk.map((line, i) => {
      const one = read[i]!;
      return this.#result(line, 'request' in one ? outcomes[at++]! : one);
    });
  }

  /** Returns the outcomes with an error in place of each earlier task that the caller may not get. */
  async #visible(
    requests: readonly TaskRequest[],
    outcomes: readonly CreatedOrNot[],
  ): Promise<readonly CreatedOrNot[]> {
    const { tasker, caller } = this.#parts;
    const existing = outcomes.flatMap((one) => ('created' in one && !one.created ? [one.taskUuid] : []));
    if (existing.length === 0 || caller.allows('tasks:read')) return outcomes;
    const tasks = await tasker.engine.getTasks([...new Set(existing)]);
    const mine = new Set(tasks.filter((task) => mayGetExisting(caller, task)).map(({ taskUuid }) => taskUuid));
    return outcomes.map((one, i) => {
      if ('error' in one || one.created || mine.has(one.taskUuid)) return one;
      return { error: notShown(requests[i]!, one) };
    });
  }

  #result({ number: line }: Line, outcome: CreatedOrNot): object {
    this.#counts.lines++;
    if ('error' in outcome) {
      const { caller } = this.#parts;
      this.#counts.failed++;
      const shown = shownConflict(outcome.error, caller, { canReturn: true }) as TaskerError;
      return { line, error: shortError(withoutHints(shown, caller)) };
    }
    if (outcome.created) this.#counts.created++;
    else this.#counts.existing++;
    const { taskUuid, created, outcome: how, rule, replacedTaskUuid } = outcome;
    const replaced = replacedTaskUuid !== null && this.#parts.caller.allows('tasks:read');
    return {
      line,
      task_uuid: taskUuid,
      created,
      outcome: how,
      rule,
      ...(replaced && { replaced_task_uuid: replacedTaskUuid }),
    };
  }
}

const jsonLine = (value: object) => `${JSON.stringify(value)}\n`;

/** Returns an error of bounded size: a client may send many lines with long errors before it reads. */
function shortError(error: TaskerError): object {
  const { details, message, ...rest } = wireError(error);
  const short = message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE)}…` : message;
  const shown = details !== undefined && JSON.stringify(details).length <= LONGEST_DETAILS;
  return { ...rest, message: short, ...(shown && { details }) };
}

function readRequest(
  { text }: Line,
  caller: Caller,
): { request: ReturnType<typeof requestOf> } | { error: TaskerError } {
  const refused = (message: string, details?: Record<string, unknown>) => ({
    error: new TaskerError('bad_request', message, details && { details }),
  });
  if (text === null) return refused(`the line is longer than ${LONGEST_LINE / 1024 / 1024} MB, or is not UTF-8`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refused(`the line is not valid JSON: ${messageOf(error)}`);
  }
  const changed = changedNumber(text);
  if (changed) return { error: notExact(changed) };
  const { success, data, error } = TaskRequestSchema.safeParse(value);
  if (!success) {
    const problems = error.issues.map(({ path, message }) => ({ path: path.map(String).join('.'), message }));
    const [first] = problems;
    return refused(`${first?.path ? `${first.path}: ` : ''}${first?.message}`, { problems });
  }
  if (maySee(caller, data.namespace)) return { request: requestOf(data, {}, caller) };
  return { error: new TaskerError('not_found', `template ${requestedTemplate(data)} not found`) };
}
