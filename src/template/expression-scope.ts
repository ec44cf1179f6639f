import type { ExpressionScope } from '../expressions/check-expression.ts';
import { isFields } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { type StepSketch, suggester } from './step-rules.ts';
import type { TaskTemplate } from './task-template.ts';

/** The part of a step that the scope of expressions depends on. */
type ScopedStep = Pick<StepSketch, 'name' | 'type' | 'dependencies'> & { fields: { result_schema?: unknown } };

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
    const readable = [...candidates].filter(({ type }) => type !== 'batch_worker');
    return {
      steps: new Map(readable.map((step) => [step.name, schemaOf(step)])),
      unreadable: (name) => {
        const known = byName.get(name);
        if (!known) return `is not a step${suggest(name)}`;
        if (known.type === 'batch_worker') return 'is a batch_worker; read the step that aggregates its workers';
        return reader ? `does not come before \`${reader.name}\`; add it to its dependencies` : 'cannot be read here';
      },
    };
  };
}

/** Returns the scope of the expressions of a step of a template, or of its output if no step is given. */
export function scopeIn(template: TaskTemplate, step: string | undefined): ExpressionScope {
  const steps = template.steps.map(({ name, type, dependencies, resultSchema }): ScopedStep => {
    const named = dependencies.map((dependency, index) => ({ name: dependency, index }));
    return { name, type, dependencies: named, fields: { result_schema: resultSchema } };
  });
  return { context: template.inputSchema, ...readableSteps(steps)(steps.find(({ name }) => name === step)) };
}

/** Returns the direct and indirect dependencies of a step. */
function before(reader: ScopedStep, byName: ReadonlyMap<string, ScopedStep>): Set<ScopedStep> {
  const found = new Set<ScopedStep>();
  const open = [reader];
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
