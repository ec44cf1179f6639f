import { isFields } from '../model/json.ts';
import type { Finding, StepSketch } from './step-rules.ts';
import { childrenOf, orderOf } from './template-graph.ts';

/** Checks `run_if`, `when` and `join`, and that every step can be reached. */
export function routeRules(steps: readonly StepSketch[]): Finding[] {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const types = new Map(steps.map(({ name, type }) => [name, type]));
  return [
    ...steps.flatMap((step) => [
      ...workerRules(step),
      ...rootRules(step),
      ...joinRules(step, types),
      ...afterEndRules(step, types),
      ...sureParentRules(step, byName),
    ]),
    ...oppositeRules(steps),
  ];
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

/** A route after a failure needs a dependency that can fail. */
function sureParentRules(
  { name, path, fields, dependencies }: StepSketch,
  byName: ReadonlyMap<string, StepSketch>,
): Finding[] {
  if (fields['run_if'] !== 'failed' || dependencies.length === 0) return [];
  const parents = dependencies.map((parent) => byName.get(parent.name));
  if (!parents.every((parent) => parent && cannotFail(parent))) return [];
  const listed = dependencies.map((parent) => `\`${parent.name}\``).join(' and ');
  const message = `step \`${name}\` can never run: \`run_if: failed\` needs a dependency that fails, and ${listed} cannot fail; depend on a step that can fail, or remove \`run_if\``;
  return [{ severity: 'warning', code: 'unreachable_step', message, path: [...path, 'run_if'] }];
}

/** Whether a step waits, and nothing that its template says can make it fail. */
function cannotFail({ type, fields }: StepSketch): boolean {
  if (fields['when'] != null || fields['result_schema'] != null) return false;
  const settings = fields[type];
  if (!isFields(settings)) return false;
  if (type === 'timer') return settings['for'] != null && settings['until'] == null;
  if (type === 'signal') return settings['timeout'] == null || settings['on_timeout'] === 'complete';
  return type === 'approval' && settings['timeout'] == null && settings['on_reject'] !== 'fail';
}

/** Maximum number of steps for which opposite routes are searched, because each search reads all steps. */
const MOST_SEARCHES = 100;

/** The end of a step that another step needs, or both ends, so that the other can never complete. */
type Needs = 'failed' | 'completed' | 'both';

/** Finds steps that need the failure of a step and its success, because they join opposite routes. */
function oppositeRules(steps: readonly StepSketch[]): Finding[] {
  const routed = steps.filter(({ fields, dependencies }) => fields['run_if'] === 'failed' && dependencies.length === 1);
  const failing = [...new Set(routed.map(({ dependencies }) => dependencies[0]!.name))].slice(0, MOST_SEARCHES);
  if (failing.length === 0) return [];
  const indexOf = new Map(steps.map(({ name }, index) => [name, index]));
  const parents = steps.map(({ dependencies }) => dependencies.flatMap(({ name }) => indexOf.get(name) ?? []));
  const order = orderOf(parents, childrenOf(parents)).map((index) => steps[index]!);
  const dynamic = new Set<string>();
  for (const { name, type, dependencies } of order) {
    const isBelow = dependencies.some((parent) => dynamic.has(parent.name));
    if (isBelow || ['decision', 'batchable', 'batch_worker'].includes(type)) dynamic.add(name);
  }
  const found = failing.flatMap((step) => oppositesOf(step, order, dynamic));
  return order.flatMap(({ name }) => found.find((one) => one.name === name)?.finding ?? []);
}

/** Returns the first steps that need both ends of a step. A step that may not be created needs nothing. */
function oppositesOf(
  of: string,
  order: readonly StepSketch[],
  dynamic: ReadonlySet<string>,
): { name: string; finding: Finding }[] {
  const needs = new Map<string, Needs>();
  return order.flatMap((step) => {
    const { name, path, fields, dependencies } = step;
    if (dynamic.has(name) || fields['join'] === 'any') return [];
    const runIf = fields['run_if'] ?? (step.type === 'deferred_convergence' ? 'ended' : 'complete');
    const own = { complete: 'completed', not_failed: 'completed', failed: 'failed' }[String(runIf)] as
      | Needs
      | undefined;
    if (own === undefined || (own === 'failed' && dependencies.length > 1)) return [];
    const given = dependencies.map((parent) => ({
      ...parent,
      by: parent.name === of ? name : parent.name,
      needs: parent.name === of ? own : runIf === 'not_failed' ? undefined : needs.get(parent.name),
    }));
    const [failed, completed] = (['failed', 'completed'] as const).map((end) => given.find((one) => one.needs === end));
    if (given.some((one) => one.needs === 'both')) needs.set(name, 'both');
    else if (failed && completed) {
      needs.set(name, 'both');
      const message = `step \`${name}\` can never run: \`${failed.by}\` runs only if \`${of}\` fails, and \`${completed.by}\` only if it completes; add \`run_if: not_failed\`, or \`join: any\``;
      return [
        {
          name,
          finding: {
            severity: 'warning' as const,
            code: 'unreachable_step',
            message,
            path: [...path, 'dependencies', failed.index],
          },
        },
      ];
    } else if (failed ?? completed) needs.set(name, (failed ?? completed)!.needs!);
    return [];
  });
}
