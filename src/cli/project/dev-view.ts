import type { Task } from '../../app/json/views.ts';
import type { Tasker, TaskSnapshot } from '../../app/tasker.ts';
import { messageOf } from '../../errors.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { LiveScreen, type Terminal } from '../show/live-screen.ts';
import { type Parents, parentsOf } from '../show/step-tree.ts';
import { taskTable } from '../task/list.ts';
import { RESTING, taskBlock } from '../task/watch.ts';

const POLL_MS = 400;
const RECENT = 6;

/** The live view of `tasker dev`: recent tasks and the steps of the running task. Other output scrolls above it. */
export class DevView {
  readonly #screen: LiveScreen;
  #tasker: Tasker | undefined;
  #recent: Task[] = [];
  #focus: (TaskSnapshot & { parents: Parents }) | undefined;
  #hint: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #trouble: string | undefined;

  constructor(terminal: Terminal) {
    this.#screen = new LiveScreen(terminal, (spinner) => this.#frame(spinner));
  }

  print(line: string): void {
    this.#screen.print(line);
  }

  /** Starts polling. `hint` is shown while there are no tasks. */
  show(tasker: Tasker, hint: string[]): void {
    this.#tasker = tasker;
    this.#hint = hint;
    void this.#poll();
  }

  end(): void {
    this.#tasker = undefined;
    clearTimeout(this.#timer);
    this.#screen.end();
  }

  async #poll(): Promise<void> {
    const tasker = this.#tasker;
    if (!tasker) return;
    try {
      this.#recent = await tasker.listTasks({ limit: RECENT });
      const task = this.#recent.find(({ status }) => !RESTING.has(status)) ?? this.#recent[0];
      if (task) {
        const [steps, parents] = await Promise.all([tasker.getSteps(task.taskUuid), parentsOf(tasker, task)]);
        this.#focus = { task, steps, parents };
      }
      this.#trouble = undefined;
    } catch (error) {
      this.#trouble = `the view is out of date: ${messageOf(error)}`;
    }
    if (this.#tasker) this.#timer = setTimeout(() => void this.#poll(), POLL_MS);
  }

  #frame(spinner: string): string[] {
    if (!this.#tasker) return [];
    const trouble = this.#trouble === undefined ? [] : [pc.yellow(this.#trouble)];
    if (!this.#focus) return ['', ...this.#hint, ...trouble];
    const { parents, ...snapshot } = this.#focus;
    return [
      '',
      ...taskTable(this.#recent, { now: Date.now() }).split('\n'),
      '',
      ...taskBlock(snapshot, parents, spinner),
      ...trouble,
    ];
  }
}
