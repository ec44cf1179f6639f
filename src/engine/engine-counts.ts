import type { Instruments } from '../metrics/instruments.ts';
import type { Claimed } from '../store/claim-steps.ts';
import type { CreatedTask } from './create-task.ts';
import type { DeadLetterTurn } from './dead-letters/find-stuck.ts';
import type { LifecycleTurn } from './end-stale.ts';
import type { RecordAnswer, Recording } from './record.ts';
import type { Swept } from './sweep.ts';
import type { Snapshot, TemplateStore } from './template-store.ts';

const secondsSince = (startedAt: number) => (performance.now() - startedAt) / 1000;

/** Updates the metrics of the engine, once per call regardless of the number of steps. */
export class EngineCounts {
  readonly on: Instruments;

  constructor(instruments: Instruments) {
    this.on = instruments;
  }

  async creation(create: () => Promise<CreatedTask[]>): Promise<CreatedTask[]> {
    const startedAt = performance.now();
    const tasks = await create();
    this.on.taskInitialization.observe(secondsSince(startedAt));
    this.created(tasks.filter(({ created }) => created));
    return tasks;
  }

  /** Counts new tasks. */
  created(tasks: readonly { snapshot: Snapshot }[]): void {
    const created = new Map<Snapshot, number>();
    for (const { snapshot } of tasks) created.set(snapshot, (created.get(snapshot) ?? 0) + 1);
    for (const [{ template, graph }, count] of created) {
      this.on.tasksRequested.of(template.namespace, template.name).add(count);
      this.on.stepsEnqueued.add(count * graph.roots.length);
    }
  }

  async claim(claim: () => Promise<Claimed>): Promise<Claimed> {
    const startedAt = performance.now();
    const claimed = await claim();
    this.on.stepClaim.observe(secondsSince(startedAt));
    this.on.stepsClaimed.of('queue').add(claimed.steps.length);
    return claimed;
  }

  async recording(
    templates: TemplateStore,
    batch: readonly Recording[],
    record: () => Promise<RecordAnswer>,
  ): Promise<RecordAnswer> {
    const startedAt = performance.now();
    const answer = await record();
    this.on.resultProcessing.observe(secondsSince(startedAt));
    this.on.stepsClaimed.of('recording').add(answer.children.length);
    this.on.stepsEnqueued.add(answer.children.length + answer.queued);
    this.on.resultsProcessed.of('accepted').add(batch.length - answer.refused.length);
    if (answer.refused.length > 0) this.on.resultsProcessed.of('refused').add(answer.refused.length);
    if (answer.ended.length > 0) this.#tasksEnded(templates, batch, answer.ended);
    this.#made(batch, answer.refused);
    return answer;
  }

  #tasksEnded(templates: TemplateStore, batch: readonly Recording[], ended: RecordAnswer['ended']): void {
    const templateIds = new Map(batch.map(({ taskUuid, templateId }) => [taskUuid, templateId]));
    for (const { taskUuid, state, ms } of ended) {
      if (state !== 'complete') {
        this.ended(state);
        continue;
      }
      const templateId = templateIds.get(taskUuid);
      if (templateId === undefined || !templates.has(templateId)) continue;
      const { namespace, name } = templates.get(templateId).template;
      this.on.tasksCompleted.of(namespace, name).add();
      this.on.taskCompletion.of(namespace, name).observe(ms / 1000);
    }
  }

  /** Counts the steps that decisions and analyzers created. */
  #made(batch: readonly Recording[], refused: readonly number[]): void {
    batch.forEach(({ expansion }, i) => {
      if (!expansion || refused.includes(i)) return;
      const { kind } = expansion;
      const size = kind === 'batch' ? expansion.parts.length : expansion.steps.length;
      this.on.outcomesProcessed.of(kind).add();
      this.on.stepsCreated.of(kind).add(size);
      this.on.outcomeSize.of(kind).observe(size);
    });
  }

  /** Counts tasks that ended in a state other than `complete`, or are blocked by failures. */
  ended(state: string, count = 1): void {
    this.on.tasksFailed.of(state).add(count);
  }

  swept({ steps, ended, queued }: Swept): void {
    if (steps.length === 0) return;
    this.on.stepsLost.add(steps.length);
    this.on.stepsEnqueued.add(queued);
    const blocked = [
      ...steps.filter((row) => row.taskState === 'blocked_by_failures'),
      ...ended.filter((row) => row.state === 'blocked_by_failures'),
    ];
    const tasks = new Set(blocked.map((row) => row.taskUuid));
    if (tasks.size > 0) this.ended('blocked_by_failures', tasks.size);
  }

  async *looking(turns: AsyncIterable<LifecycleTurn>): AsyncGenerator<LifecycleTurn> {
    const startedAt = performance.now();
    this.on.staleLooks.add();
    for await (const turn of turns) {
      this.on.staleDetected.add(turn.ended.length + turn.noted.length);
      this.on.deadLettersAdded.add(turn.added.length);
      this.on.staleEnded.add(turn.ended.length);
      if (turn.ended.length > 0) this.ended('error', turn.ended.length);
      yield turn;
    }
    this.on.staleLook.observe(secondsSince(startedAt));
  }

  async *deadLetters(turns: AsyncIterable<DeadLetterTurn>): AsyncGenerator<DeadLetterTurn> {
    for await (const turn of turns) {
      this.on.deadLettersAdded.add(turn.added.length);
      this.deadLettersClosed(turn.closed.map(({ seconds }) => seconds));
      yield turn;
    }
  }

  /** Counts dead letters that were closed after a number of seconds. */
  deadLettersClosed(seconds: readonly number[]): void {
    for (const open of seconds) this.on.deadLetterTime.observe(open);
  }
}
