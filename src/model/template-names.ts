import { type ClosedKeys, closedKeysOf } from './closed-keys.ts';
import type { Fields } from './json.ts';
import { nearNames } from './near-names.ts';

/** The names of a template that handlers refer to. Plain data, because threads receive it. */
export interface TemplateNames {
  readonly steps: readonly string[];
  /** The steps of type `batch_worker`. */
  readonly workers: readonly string[];
  /**
   * The keys that a handler's inputs can have: the names in `inputs` of its step, otherwise the keys that `input_schema`
   * allows in the context. Undefined if it allows any key.
   */
  readonly inputs: ClosedKeys | undefined;
}

/** The part of a template that {@link templateNamesOf} reads. */
interface NamingTemplate {
  readonly steps: readonly { readonly name: string; readonly type: string }[];
  readonly inputSchema: Fields | null;
}

const known = new WeakMap<NamingTemplate, TemplateNames>();
const knownOfSteps = new WeakMap<Fields, TemplateNames>();

/** Returns the names that handlers of a template's steps refer to. Each template is read once. */
export function templateNamesOf(template: NamingTemplate): TemplateNames {
  let names = known.get(template);
  if (!names) {
    const { steps, inputSchema } = template;
    names = {
      steps: steps.map(({ name }) => name),
      workers: steps.filter(({ type }) => type === 'batch_worker').map(({ name }) => name),
      inputs: closedKeysOf(inputSchema),
    };
    known.set(template, names);
  }
  return names;
}

/** Returns the names that the handler of a step refers to. */
export function namesForStep(template: NamingTemplate, { inputs }: { readonly inputs: Fields | null }): TemplateNames {
  const names = templateNamesOf(template);
  if (!inputs) return names;
  let own = knownOfSteps.get(inputs);
  if (!own) {
    own = { ...names, inputs: { names: Object.keys(inputs), patterns: [], by: 'inputs' } };
    knownOfSteps.set(inputs, own);
  }
  return own;
}

/** How a handler refers to a step: in one of its options. */
type StepRole = 'depends' | 'analyzerStep' | 'workerTemplate';

/** A reference of a handler to a step. */
export interface StepReference {
  role: StepRole;
  name: string;
}

const PHRASES: Readonly<Record<StepRole, string>> = {
  depends: 'depends on step',
  analyzerStep: 'analyzerStep names step',
  workerTemplate: 'workerTemplate names step',
};

/** Returns what is wrong with a reference to a step, with a similar name. Undefined if the template has the step. */
export function unknownStep(
  { steps, workers }: TemplateNames,
  { role, name }: StepReference,
  place = 'its template',
): string | undefined {
  const possible = role === 'workerTemplate' ? workers : steps;
  if (possible.includes(name)) return undefined;
  // The steps of a batch are named after its `batch_worker` step.
  if (role === 'depends' && workers.some((worker) => name.startsWith(`${worker}_`))) return undefined;
  const what = steps.includes(name) ? `is not a batch_worker in ${place}` : `${place} does not have`;
  const near =
    nearNames(name, possible, 1)[0] ?? (role === 'workerTemplate' && workers.length === 1 ? workers[0] : undefined);
  return `${PHRASES[role]} ${name}, which ${what}${near === undefined ? '' : `; did you mean ${near}?`}`;
}

/** Returns why a decision cannot create a step, with a similar name. Undefined if the step is one of its branches. */
export function unknownBranch(
  { steps }: TemplateNames,
  { name, branches }: { name: string; branches: readonly string[] },
  place: string,
): string | undefined {
  if (branches.includes(name)) return undefined;
  const what = steps.includes(name)
    ? `is not downstream of it in ${place}, or is created by other rules`
    : `${place} does not have`;
  const near = nearNames(name, branches, 1)[0];
  return `routes to step ${name}, which ${what}${near === undefined ? '' : `; did you mean ${near}?`}`;
}
