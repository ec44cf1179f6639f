import type { StepResponse } from '../../../api/types.ts';
import { JsonTree } from '../../../parts/json-tree.tsx';
import { parentsOf } from '../graph/shape.ts';
import type { TaskData } from '../use-task.ts';

/** The input of the handler of a step: the context of the task, and the results of the steps before it. */
export interface StepInput {
  context: unknown;
  results: Record<string, unknown>;
}

export function inputOf({ task, shape, steps }: TaskData, step: StepResponse): StepInput {
  const names = new Set(parentsOf(shape.edges).get(step.template_step_name));
  const isRead = ({ element }: StepResponse) => !element || element.number === step.element?.number;
  const parents = (steps ?? []).filter(
    (one) => names.has(one.template_step_name) && isRead(one) && one.results?.success,
  );
  return {
    context: task.context,
    results: Object.fromEntries(parents.map(({ name, results }) => [name, results?.result])),
  };
}

/** The input and the output of a step. */
export function InputAndOutput({ data, step }: { data: TaskData; step: StepResponse }) {
  const { context, results } = inputOf(data, step);
  const { success, result } = step.results ?? {};
  return (
    <>
      {success && (
        <section aria-label="Result" className="border-b border-line pb-1">
          <h3 className="-mb-6 px-4 pt-2 text-xs font-medium text-faint">Result</h3>
          <JsonTree name="the result" value={result} />
        </section>
      )}
      <section aria-label="Input" className="border-b border-line pb-1">
        <h3 className="-mb-6 px-4 pt-2 text-xs font-medium text-faint">Input</h3>
        <JsonTree name="the input" value={Object.keys(results).length > 0 ? { context, results } : { context }} />
      </section>
    </>
  );
}
