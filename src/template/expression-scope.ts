import type { ExpressionScope } from '../expressions/check-expression.ts';
import { isFields } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { type StepSketch, suggester } from './step-rules.ts';
import type { TaskTemplate } from './task-template.ts';

/** The part of a step that the scope of expressions depends on. */
type ScopedStep = Pick<StepSketch, 'name' | 'type' | 'dependencies' | 'elementOf'> & {
  fields: { result_schema?: unknown };
};

/**
 * Returns a function for the steps that an expression of a step can read: those before it. If no step is given, all steps
 * can be read, as in the output.
 */
export function readableSteps(
  steps: readonly ScopedStep[],
): (reader: ScopedStep | undefined) => Pick<ExpressionScope, 'steps' | 'unreadable'> {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const suggest = suggester(byName.keys());
  const schemaOf = ({ fields }: ScopedStep) => (isFields(fields.result_schema) ? fields.result_schema : null);
  return (reader) => {
    const candidates = reader ? before(reader, byName) : steps;
    const isReadable = ({ type, elementOf }: ScopedStep) =>
      type !== 'batch_worker' &&
      (elementOf === undefined || elementOf === reader?.elementOf || elementOf === reader?.name);
    const readable = [...candidates].filter(isReadable);
    return {
      steps: new Map(readable.map((step) => [step.name, schemaOf(step)])),
      unreadable: (name) => {
        const known = byName.get(name);
        if (!known) return `is not a step${suggest(name)}`;
        if (known.type === 'batch_worker') return 'is a batch_worker; read the step that aggregates its workers';
        if (known.elementOf !== undefined && known.elementOf !== reader?.elementOf)
          return `runs for each element of \`${known.elementOf}\`; read steps.${known.elementOf}.outputs`;
        return reader ? `does not come before \`${reader.name}\`; add it to its dependencies` : 'cannot be read here';
      },
    };
  };
}

/** Returns the scope of the expressions of a step of a template, or of its output if no step is given. */
export function scopeIn(template: TaskTemplate, step: string | undefined): ExpressionScope {
  const steps = template.steps.map(({ name, type, dependencies, resultSchema, elementOf }): ScopedStep => {
    const named = dependencies.map((dependency, index) => ({ name: dependency, index }));
    return {
      name,
      type,
      dependencies: named,
      elementOf: elementOf ?? undefined,
      fields: { result_schema: resultSchema },
    };
  });
  const reader = steps.find(({ name }) => name === step);
  const element = reader?.elementOf === undefined ? {} : { element: null };
  return { context: template.inputSchema, ...readableSteps(steps)(reader), ...element };
}

/** Returns the direct and indirect dependencies of a step. Those of a step of an element include those of its list. */
function before(reader: ScopedStep, byName: ReadonlyMap<string, ScopedStep>): Set<ScopedStep> {
  const found = new Set<ScopedStep>();
  const list = reader.elementOf === undefined ? undefined : byName.get(reader.elementOf);
  const open = list ? [reader, list] : [reader];
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    for (const { name } of step.dependencies) {
      // A misspelt dependency has its own error. The steps before the one that was meant are not errors as well.
      const parent = byName.get(name) ?? byName.get(nearNames(name, byName.keys(), 1)[0] ?? '');
      if (!parent || found.has(parent)) continue;
      found.add(parent);
      open.push(parent);
    }
  }
  found.delete(reader);
  return found;
}
