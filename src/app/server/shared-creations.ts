import type { TaskRequest } from '../../engine/create-task.ts';
import { CreationConflict } from '../../engine/creation-conflict.ts';
import { readTasksWithSteps, type TaskSnapshot } from '../../engine/task-with-steps.ts';
import { type Answer, Together } from '../../time/together.ts';
import type { Tasker, TaskHandle } from '../tasker.ts';
import { createEach } from './create-each.ts';

/** Requests in one transaction. Two are in progress at a time, so that one is committed while the next is sent. */
const LIMITS = { most: 100, calls: 2 };

/** A request to create a task, and how a task with the same identity is treated. */
interface Creation {
  request: TaskRequest;
  onDuplicate: 'error' | 'return';
}

/** The answer to a request, without the task. */
type Created = Pick<TaskHandle, 'created' | 'outcome' | 'rule' | 'replacedTaskUuid'>;

/** A task with its steps. */
export interface CreatedSnapshot extends TaskSnapshot, Created {}

/**
 * Creates tasks for callers that each create one. Requests that arrive at the same time share a transaction, so that a
 * thousand callers do not need a thousand commits. A rejected request does not affect the others.
 */
export class SharedCreations {
  readonly #tasker: Tasker;
  readonly #together: Together<Creation, CreatedSnapshot | undefined>;

  constructor(tasker: Tasker) {
    this.#tasker = tasker;
    this.#together = new Together((creations) => this.#create(creations), LIMITS);
  }

  /**
   * Creates a task, and returns it with its steps. `large`: in a separate transaction. Throws the same errors as
   * `createTask`.
   */
  async create(
    request: TaskRequest,
    { large, onDuplicate = 'error' }: { large: boolean; onDuplicate?: 'error' | 'return' },
  ): Promise<CreatedSnapshot> {
    const creation = { request, onDuplicate };
    // A span needs the request's span as its parent, which is only available in the call of the request itself.
    const alone = large || this.#tasker.isTracing;
    return (alone ? undefined : await this.#together.ask(creation)) ?? this.#createAlone(creation);
  }

  /** Undefined if the request was rejected, or its task exists and is an error. */
  async #create(creations: readonly Creation[]): Promise<Answer<CreatedSnapshot | undefined>[]> {
    if (creations.length === 1) return [await answerOf(this.#createAlone(creations[0]!))];
    const requests = creations.map(({ request }) => request);
    const outcomes = await createEach(this.#tasker, requests, 'return');
    const ids = outcomes.flatMap((one) => ('taskUuid' in one ? one.taskUuid : []));
    const snapshots = await readTasksWithSteps(this.#tasker.engine, ids);
    return Promise.all(
      outcomes.map(async (one, i): Promise<Answer<CreatedSnapshot | undefined>> => {
        const isDuplicate = 'rule' in one && one.rule === 'identity' && creations[i]!.onDuplicate === 'error';
        if (isDuplicate) return { answer: undefined };
        // Another attempt would only find the same open task.
        if ('error' in one) return isOfKey(one.error) ? { error: one.error } : { answer: undefined };
        const snapshot = snapshots.get(one.taskUuid);
        return snapshot ? { answer: { ...snapshot, ...answerIn(one) } } : answerOf(this.#read(one));
      }),
    );
  }

  async #createAlone({ request, onDuplicate }: Creation): Promise<CreatedSnapshot> {
    const created = await this.#tasker.createTask<string, string, string>(request as never, { onDuplicate });
    return this.#read(created);
  }

  async #read(created: Created & { taskUuid: string }): Promise<CreatedSnapshot> {
    return { ...(await this.#tasker.getTaskWithSteps(created.taskUuid)), ...answerIn(created) };
  }
}

function answerIn({ created, outcome, rule, replacedTaskUuid }: Created): Created {
  return { created, outcome, rule, replacedTaskUuid };
}

const isOfKey = (error: Error) => error instanceof CreationConflict && error.kind === 'key';

function answerOf<A>(work: Promise<A>): Promise<Answer<A>> {
  return work.then(
    (answer) => ({ answer }),
    (error: unknown) => ({ error }),
  );
}
