import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link, useSearchParams } from 'react-router';
import { api, pathOf } from '../api/client.ts';
import { usePrecaution } from '../api/polling.ts';
import type { StepResponse, Task } from '../api/types.ts';
import { useLinks } from '../frame/namespace.ts';
import { ChangedLines } from '../parts/changed-lines.tsx';
import { Empty, Heading, Panel, Problem } from '../parts/controls.tsx';
import { REDACTED } from '../parts/json-tree.tsx';
import { lineDiff, nearChanges } from '../parts/line-diff.ts';
import { State, StateOfTask } from '../parts/state.tsx';
import { Time } from '../parts/text.tsx';
import { counted, durationText, timeOf } from '../parts/words.ts';
import { ENDED_MS } from './task/use-task.ts';

/** Further results can be compared on the pages of the tasks. */
const MOST_RESULTS = 20;

interface Run {
  task: Task;
  steps: readonly StepResponse[];
}

function useRun(uuid: string) {
  const soon = usePrecaution();
  // A task that has ended may be run again.
  const later = usePrecaution(ENDED_MS);
  return useQuery({
    queryKey: ['task', uuid, 'run'],
    queryFn: async ({ signal }): Promise<Run> => {
      const [task, steps] = await Promise.all([api.tasks.get(uuid, { signal }), api.steps.list(uuid, { signal })]);
      return { task, steps };
    },
    enabled: uuid !== '',
    refetchInterval: ({ state }) => (state.data?.task.completed_at ? later : soon),
  });
}

/** A step of two runs. */
interface Pair {
  name: string;
  one: StepResponse | undefined;
  other: StepResponse | undefined;
  /** The names of the parts that differ. */
  differences: string[];
}

/** Two tasks side by side: their steps, and the differences of their contexts and results. */
export default function CompareTasks() {
  const [search] = useSearchParams();
  const [one, other] = [useRun(search.get('one') ?? ''), useRun(search.get('other') ?? '')];
  const error = one.error ?? other.error;
  const pairs = one.data && other.data ? pairsOf(one.data, other.data) : undefined;
  return (
    <>
      <Heading
        title="Compare two tasks"
        answer={pairs && one.data && other.data ? answerOf(pairs, one.data.task, other.data.task) : '\u00a0'}
      />
      {error && !pairs && <Problem error={error} />}
      {(!search.get('one') || !search.get('other')) && (
        <Panel>
          <Empty title="Two tasks are needed">Select two tasks in the list, and choose Compare.</Empty>
        </Panel>
      )}
      {pairs && one.data && other.data && <Comparison one={one.data} other={other.data} pairs={pairs} />}
    </>
  );
}

function answerOf(pairs: readonly Pair[], one: Task, other: Task): string {
  const count = pairs.filter(({ differences }) => differences.length > 0).length;
  const steps =
    count === 0
      ? 'No step differs'
      : `${count} of ${counted(pairs.length, 'step')} ${count === 1 ? 'differs' : 'differ'}`;
  const context = jsonOf(one.context);
  const same = context.includes(REDACTED) ? 'the same where it is visible' : 'the same';
  return `${steps}; the context is ${context === jsonOf(other.context) ? same : 'different'}`;
}

function pairsOf(one: Run, other: Run): Pair[] {
  const others = new Map(other.steps.map((step) => [step.name, step]));
  const names = new Set([...one.steps, ...other.steps].map(({ name }) => name));
  const ones = new Map(one.steps.map((step) => [step.name, step]));
  return [...names].map((name) => {
    const [first, second] = [ones.get(name), others.get(name)];
    return { name, one: first, other: second, differences: differencesOf(first, second) };
  });
}

function differencesOf(one: StepResponse | undefined, other: StepResponse | undefined): string[] {
  if (!one || !other) return [`only in the ${one ? 'first' : 'second'}`];
  // A step that has not succeeded has no result to compare.
  const bothSucceeded = one.results?.success === true && other.results?.success === true;
  return [
    ...(one.current_state === other.current_state ? [] : ['state']),
    ...(one.attempts === other.attempts ? [] : ['attempts']),
    ...(one.results?.error?.message === other.results?.error?.message ? [] : ['error']),
    ...(bothSucceeded && jsonOf(one.results?.result) !== jsonOf(other.results?.result) ? ['result'] : []),
  ];
}

const jsonOf = (value: unknown) => JSON.stringify(value ?? null, null, 2);

function Comparison({ one, other, pairs }: { one: Run; other: Run; pairs: readonly Pair[] }) {
  const results = pairs.filter(({ differences }) => differences.includes('result'));
  return (
    <>
      <Panel>
        <table className="grid-table" aria-label="Steps">
          <thead>
            <tr>
              <th scope="col" rowSpan={2}>
                Step
              </th>
              <RunHead run={one} name="First" />
              <RunHead run={other} name="Second" />
              <th scope="col" rowSpan={2}>
                Differs in
              </th>
            </tr>
            <tr>
              {['first', 'second'].map((which) =>
                ['State', 'Attempts', 'Ran'].map((head) => (
                  <th
                    key={`${which} ${head}`}
                    scope="col"
                    className={head === 'State' ? 'border-l border-l-line' : 'num'}
                  >
                    {head}
                  </th>
                )),
              )}
            </tr>
          </thead>
          <tbody>
            {pairs.map(({ name, one: first, other: second, differences }) => (
              <tr key={name}>
                <th scope="row" className="text-ink!">
                  {name}
                </th>
                <StepCells step={first} />
                <StepCells step={second} />
                <td className={differences.length > 0 ? 'text-s-amber' : 'text-faint'}>
                  {differences.join(', ') || 'nothing'}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Panel>
      <Differences title="Context" one={one.task.context} other={other.task.context} />
      {results.slice(0, MOST_RESULTS).map(({ name, one: first, other: second }) => (
        <Differences
          key={name}
          title={`Result of ${name}`}
          one={first?.results?.result}
          other={second?.results?.result}
        />
      ))}
      {results.length > MOST_RESULTS && (
        <p className="text-sm text-soft">{counted(results.length - MOST_RESULTS, 'more result')} not shown.</p>
      )}
    </>
  );
}

/** The head of the columns of a run, which leads to its task. */
function RunHead({ run: { task }, name }: { run: Run; name: string }) {
  const link = useLinks();
  const end = task.completed_at ?? undefined;
  const took = end && durationText(timeOf(end).getTime() - timeOf(task.created_at).getTime());
  return (
    <th scope="colgroup" colSpan={3} className="h-auto! border-l border-l-line py-2!">
      <span className="flex flex-wrap items-center gap-x-3">
        <Link to={link(pathOf`tasks/${task.task_uuid}`)} className="font-medium text-ink underline decoration-edge">
          {name}: {task.name} {task.version}
        </Link>
        <StateOfTask task={task} />
      </span>
      <span className="block font-normal">
        created <Time at={task.created_at} />
        {took && `, took ${took}`}
      </span>
    </th>
  );
}

function StepCells({ step }: { step: StepResponse | undefined }): ReactNode {
  if (!step) {
    return (
      <td colSpan={3} className="border-l border-l-line text-faint">
        not created
      </td>
    );
  }
  const ms = step.results?.metadata.execution_time_ms;
  return (
    <>
      <td className="border-l border-l-line">
        <State state={step.current_state} />
      </td>
      <td className="num">{step.attempts}</td>
      <td className="num">{ms == null ? '' : durationText(ms)}</td>
    </>
  );
}

function Differences({ title, one, other }: { title: string; one: unknown; other: unknown }) {
  const lines = nearChanges(lineDiff(jsonOf(one), jsonOf(other)));
  if (!lines.some((line) => line && line.kind !== 'same')) return null;
  return (
    <Panel title={title}>
      <ChangedLines lines={lines} />
    </Panel>
  );
}
