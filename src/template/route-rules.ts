import type { Finding, StepSketch } from './step-rules.ts';

/** Checks `run_if` and `when`, and that every step can be reached. */
export function routeRules(steps: readonly StepSketch[]): Finding[] {
  const endings = new Set(steps.filter(({ type }) => type === 'fail').map(({ name }) => name));
  return steps.flatMap((step) => [...workerRules(step), ...rootRules(step), ...afterEndRules(step, endings)]);
}

/** A batch worker is created by its analyzer, and the batch decides about its end. */
function workerRules({ type, name, path, fields }: StepSketch): Finding[] {
  if (type !== 'batch_worker') return [];
  return (['run_if', 'when'] as const).flatMap((key): Finding[] => {
    if (fields[key] == null) return [];
    const message = `\`${key}\` cannot be on the batch_worker step \`${name}\`; put it on the analyzer, or on the step after the batch`;
    return [{ severity: 'error', code: 'batch_worker_condition', message, path: [...path, key], atKey: true }];
  });
}

/** A step without dependencies starts with its task, so nothing can decide about it. */
function rootRules({ name, path, fields, dependencies }: StepSketch): Finding[] {
  const runIf = fields['run_if'];
  if (typeof runIf !== 'string' || dependencies.length > 0) return [];
  if (fields['dependencies'] && !Array.isArray(fields['dependencies'])) return [];
  const message =
    runIf === 'failed'
      ? `step \`${name}\` can never run: \`run_if: failed\` needs a dependency that fails, and it has none; add depends_on`
      : `\`run_if\` of \`${name}\` has no effect, because it has no dependencies; add depends_on, or remove it`;
  const code = runIf === 'failed' ? 'unreachable_step' : 'run_if_unused';
  return [{ severity: 'error', code, message, path: [...path, 'run_if'] }];
}

/** A step of the type `fail` ends the task, so nothing runs after it. */
function afterEndRules({ name, path, dependencies }: StepSketch, endings: ReadonlySet<string>): Finding[] {
  return dependencies
    .filter((parent) => endings.has(parent.name))
    .map(({ name: parent, index }): Finding => {
      const message = `step \`${name}\` can never run: it depends on \`${parent}\`, which ends the task; remove the dependency`;
      return { severity: 'error', code: 'unreachable_step', message, path: [...path, 'dependencies', index] };
    });
}
