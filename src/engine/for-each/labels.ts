import type { Database } from '../../db/database.ts';
import { ELEMENTS_IN_PAGE } from '../../model/for-each.ts';
import { labelPages } from '../../store/for-each.ts';
import type { Step, StepElement } from '../task-view.ts';

/** Adds the labels of their elements to steps of a task. */
export async function withLabels(database: Database, taskUuid: string, steps: Step[]): Promise<Step[]> {
  const elements = steps.flatMap(({ element }) => element ?? []);
  if (elements.length === 0) return steps;
  const pages = [...new Set(elements.map(({ number }) => Math.floor(number / ELEMENTS_IN_PAGE)))];
  const labels = new Map<string, (string | null)[]>();
  for (const { step, page, keys } of await labelPages(database, taskUuid, pages)) {
    labels.set(`${page} ${step}`, JSON.parse(keys) as (string | null)[]);
  }
  const labelled = (step: string, { number }: StepElement): StepElement => {
    const own = labels.get(`${Math.floor(number / ELEMENTS_IN_PAGE)} ${step}`);
    return { number, key: own?.[number % ELEMENTS_IN_PAGE] ?? null };
  };
  return steps.map((step) =>
    step.element === null ? step : { ...step, element: labelled(step.templateStepName, step.element) },
  );
}
