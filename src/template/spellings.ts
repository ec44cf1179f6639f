import { type Fields, isFields } from '../model/json.ts';

/** A place in a file's data: keys and indexes from its root. */
export type Path = readonly (string | number)[];

/** Two names for the same field. Files can use either; snapshots use the first. */
export interface Spelling {
  first: string;
  other: string;
}

export const TASK_SPELLINGS: readonly Spelling[] = [{ first: 'namespace_name', other: 'namespace' }];
export const STEP_SPELLINGS: readonly Spelling[] = [
  { first: 'type', other: 'step_type' },
  { first: 'dependencies', other: 'depends_on' },
];

/** An object that has a field under both names. */
export interface SpeltTwice extends Spelling {
  /** The path of the object. */
  path: Path;
}

/** Returns the data with every field in its first spelling, and `handler: name` as `handler: {callable: name}`, also in `undo`. */
export function firstSpelling(data: unknown): { data: unknown; twice: SpeltTwice[] } {
  const twice: SpeltTwice[] = [];
  if (!isFields(data)) return { data, twice };
  const task = respelt(data, TASK_SPELLINGS, [], twice);
  stepsSpelt(task, [], twice);
  return { data: task, twice };
}

/** Spells the steps of a task, or of the elements of a list. */
function stepsSpelt(owner: Fields, path: Path, twice: SpeltTwice[]): void {
  if (!Array.isArray(owner.steps)) return;
  owner.steps = owner.steps.map((step: unknown, index) => {
    if (!isFields(step)) return step;
    const at = [...path, 'steps', index];
    const spelt = handlerSpelt(respelt(step, STEP_SPELLINGS, at, twice));
    stepsSpelt(spelt, at, twice);
    return spelt;
  });
}

function respelt(fields: Fields, spellings: readonly Spelling[], path: Path, twice: SpeltTwice[]): Fields {
  const firstOf = new Map(spellings.map(({ first, other }) => [other, first]));
  for (const spelling of spellings) {
    if (Object.hasOwn(fields, spelling.first) && Object.hasOwn(fields, spelling.other))
      twice.push({ ...spelling, path });
  }
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [firstOf.get(key) ?? key, value]));
}

function handlerSpelt(step: Fields): Fields {
  const { handler, undo } = step;
  return {
    ...step,
    ...(typeof handler === 'string' && { handler: { callable: handler } }),
    ...(isFields(undo) &&
      typeof undo.handler === 'string' && { undo: { ...undo, handler: { callable: undo.handler } } }),
  };
}
