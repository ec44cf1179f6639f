import type { Finding, StepSketch } from './step-rules.ts';

/** Checks `run_if`, `when` and `join`, and that every step can be reached. */
export function routeRules(steps: readonly StepSketch[]): Finding[] {
  const types = new Map(steps.map(({ name, type }) => [name, type]));
  return steps.flatMap((step) => [
    ...workerRules(step),
    ...rootRules(step),
    ...joinRules(step, types),
    ...afterEndRules(step, types),
  ]);
}

/** A batch worker is created by its analyzer, and the batch decides about its end. */
function workerRules({ type, name, path, fields }: StepSketch): Finding[] {
  if (type !== 'batch_worker') return [];
  return (['run_if', 'when', 'join'] as const).flatMap((key): Finding[] => {
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

/** `join: any` needs several dependencies that end one by one. */
function joinRules(step: StepSketch, types: ReadonlyMap<string, string>): Finding[] {
  const { type, name, path, fields, dependencies } = step;
  if (type === 'batch_worker') return [];
  const finding = (code: string, message: string, key: string): Finding => {
    return { severity: 'error', code, message, path: [...path, key], atKey: true };
  };
  if (fields['join'] !== 'any') {
    if (fields['others'] == null) return [];
    const message = `\`others\` of \`${name}\` has no effect without \`join: any\`; add it, or remove \`others\``;
    return [finding('others_unused', message, 'others')];
  }
  if (type === 'deferred_convergence') {
    const message = `\`join: any\` is not allowed on the convergence \`${name}\`, which waits for all chosen branches; remove it, or use another type of step`;
    return [finding('join_unsupported', message, 'join')];
  }
  const runIf = fields['run_if'];
  if (typeof runIf === 'string' && runIf !== 'complete') {
    const message = `\`${name}\` cannot have both \`join: any\` and \`run_if: ${runIf}\`: it runs when the first of its dependencies completes; remove one of them`;
    return [finding('join_unsupported', message, 'join')];
  }
  const batch = dependencies.find((parent) => types.get(parent.name) === 'batch_worker');
  if (batch) {
    const message = `\`${name}\` has \`join: any\`, so it cannot depend on the batch_worker step \`${batch.name}\`; depend on a step after the batch`;
    return [finding('join_unsupported', message, 'join')];
  }
  if (new Set(dependencies.map((parent) => parent.name)).size > 1) return [];
  const message = `\`join: any\` of \`${name}\` needs at least two dependencies; add one, or remove \`join\``;
  return [finding('join_unused', message, 'join')];
}

/** A step of the type `fail` ends the task unless it is skipped. */
function afterEndRules(
  { name, path, fields, dependencies }: StepSketch,
  types: ReadonlyMap<string, string>,
): Finding[] {
  const runIf = fields['run_if'];
  if (typeof runIf === 'string' && runIf !== 'complete') return [];
  if (fields['join'] === 'any') return [];
  return dependencies
    .filter((parent) => types.get(parent.name) === 'fail')
    .map(({ name: parent, index }): Finding => {
      const message = `step \`${name}\` can never run: \`${parent}\` ends the task when it runs; add \`run_if: not_failed\` to run \`${name}\` if \`${parent}\` is skipped, or remove the dependency`;
      return { severity: 'error', code: 'unreachable_step', message, path: [...path, 'dependencies', index] };
    });
}
