import type { TaskRequest } from '../../engine/create-task.ts';
import { readTasksWithSteps, type TaskSnapshot } from '../../engine/task-with-steps.ts';
import { type Answer, Together } from '../../time/together.ts';
import type { Tasker } from '../tasker.ts';
import { createEach } from './create-each.ts';

/** Requests in one transaction. Two are in progress at a time, so that one is committed while the next is sent. */
const LIMITS = { most: 100, calls: 2 };

/**
 * Creates tasks for callers that each create one. Requests that arrive at the same time share a transaction, so that a
 * thousand callers do not need a thousand commits. A rejected request does not affect the others.
 */
export class SharedCreations {
  readonly #tasker: Tasker;
  readonly #together: Together<TaskRequest, TaskSnapshot | undefined>;

  constructor(tasker: Tasker) {
    this.#tasker = tasker;
    this.#together = new Together((requests) => this.#create(requests), LIMITS);
  }

  /**
   * Creates a task, and returns it with its steps. `large`: in a separate transaction. Throws the same errors as
   * `createTask`.
   */
  async create(request: TaskRequest, { large }: { large: boolean }): Promise<TaskSnapshot> {
    // A span needs the request's span as its parent, which is only available in the call of the request itself.
    const alone = large || this.#tasker.isTracing;
    return (alone ? undefined : await this.#together.ask(request)) ?? this.#createAlone(request);
  }

  /** Undefined if the request was rejected, or its task exists. */
  async #create(requests: readonly TaskRequest[]): Promise<Answer<TaskSnapshot | undefined>[]> {
    if (requests.length === 1) return [await answerOf(this.#createAlone(requests[0]!))];
    const outcomes = await createEach(this.#tasker, requests, 'return');
    const created = outcomes.flatMap((one) => ('taskUuid' in one && one.created ? [one.taskUuid] : []));
    const snapshots = await readTasksWithSteps(this.#tasker.engine.database, created);
    return Promise.all(
      outcomes.map(async (one): Promise<Answer<TaskSnapshot | undefined>> => {
        if (!('taskUuid' in one) || !one.created) return { answer: undefined };
        const snapshot = snapshots.get(one.taskUuid);
        return snapshot ? { answer: snapshot } : answerOf(this.#tasker.getTaskWithSteps(one.taskUuid));
      }),
    );
  }

  async #createAlone(request: TaskRequest): Promise<TaskSnapshot> {
    const { taskUuid } = await this.#tasker.createTask<string, string, string>(request as never);
    return this.#tasker.getTaskWithSteps(taskUuid);
  }
}

function answerOf<A>(work: Promise<A>): Promise<Answer<A>> {
  return work.then(
    (answer) => ({ answer }),
    (error: unknown) => ({ error }),
  );
}
