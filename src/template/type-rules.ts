import { isFields } from '../model/json.ts';
import { type Finding, type StepSketch, suggester } from './step-rules.ts';

/** Checks the requirements of each step's type. */
export function typeRules(steps: readonly StepSketch[]): Finding[] {
  const workers = new Set(steps.filter(({ type }) => type === 'batch_worker').map(({ name }) => name));
  const suggestWorker = suggester(workers);
  const dynamic = dynamicSteps(steps);
  const types = new Map(steps.map(({ name, type }) => [name, type]));
  return steps.flatMap((step) => [
    ...decisionRules(step),
    ...batchRules(step, workers, suggestWorker),
    ...workerRules(step, types),
    ...convergenceRules(step, dynamic),
  ]);
}

function decisionRules({ type, name, path, dependencies, fields }: StepSketch): Finding[] {
  if (type !== 'decision' || dependencies.length > 0 || (fields.dependencies && !Array.isArray(fields.dependencies)))
    return [];
  const message = `decision step \`${name}\` has no dependencies; add the step whose result it uses`;
  return [{ severity: 'error', code: 'decision_without_dependencies', message, path: [...path, 'type'] }];
}

function batchRules(step: StepSketch, workers: ReadonlySet<string>, suggest: (wanted: string) => string): Finding[] {
  const { name, type, path, fields } = step;
  const config = fields.batch_config ?? null;
  const findings: Finding[] = [];
  if (type === 'batch_worker' && config === null) {
    const fieldsOf = 'parallelism, cursor_field, worker_template and failure_strategy';
    const message = `batch_worker step \`${name}\` has no batch_config; add it, with ${fieldsOf}`;
    findings.push({ severity: 'error', code: 'batch_worker_without_batch_config', message, path: [...path, 'type'] });
  }
  if (type !== 'batch_worker' && config !== null) {
    const message = `batch_config of \`${name}\` has no effect on a ${type} step; move it to the batch_worker step`;
    const at = [...path, 'batch_config'];
    findings.push({ severity: 'warning', code: 'batch_config_unused', message, path: at, atKey: true });
  }
  const handler =
    isFields(fields.handler) && isFields(fields.handler.initialization) ? fields.handler.initialization : {};
  const named = type === 'batchable' ? handler.worker_template_name : undefined;
  if (typeof named === 'string' && !workers.has(named)) {
    const message = `worker_template_name of \`${name}\` is \`${named}\`, which is not a batch_worker step${suggest(named)}`;
    const at = [...path, 'handler', 'initialization', 'worker_template_name'];
    findings.push({ severity: 'warning', code: 'unknown_worker_template', message, path: at });
  }
  const template = type === 'batch_worker' && isFields(config) ? config.worker_template : undefined;
  if (typeof template === 'string' && template !== '' && !workers.has(template)) {
    const message = `worker_template of \`${name}\` is \`${template}\`, which is not a batch_worker step; write \`${name}\``;
    const at = [...path, 'batch_config', 'worker_template'];
    findings.push({ severity: 'warning', code: 'unknown_worker_template', message, path: at });
  }
  return findings;
}

/** Checks that a batch worker depends on exactly one analyzer, which creates the worker. */
function workerRules(
  { type, name, path, dependencies, fields }: StepSketch,
  types: ReadonlyMap<string, string>,
): Finding[] {
  if (
    type !== 'batch_worker' ||
    !isFields(fields.batch_config) ||
    (fields.dependencies && !Array.isArray(fields.dependencies))
  )
    return [];
  if (dependencies.some((parent) => !types.has(parent.name))) return [];
  const analyzers = dependencies.filter((parent) => types.get(parent.name) === 'batchable');
  const findings: Finding[] = [];
  if (analyzers.length !== 1) {
    const found =
      analyzers.length === 0
        ? `on none: ${hintFor(types)}`
        : `on ${analyzers.map((parent) => `\`${parent.name}\``).join(' and ')}`;
    const message = `batch_worker step \`${name}\` must depend on exactly one batchable step, which creates its workers; it depends ${found}`;
    findings.push({ severity: 'error', code: 'batch_worker_without_analyzer', message, path: [...path, 'type'] });
  }
  for (const parent of dependencies) {
    if (types.get(parent.name) !== 'batch_worker') continue;
    const message = `batch_worker step \`${name}\` depends on the batch_worker \`${parent.name}\`; put a deferred_convergence step between two batches`;
    const at = [...path, 'dependencies', parent.index];
    findings.push({ severity: 'error', code: 'batch_worker_after_batch_worker', message, path: at });
  }
  return findings;
}

function hintFor(types: ReadonlyMap<string, string>): string {
  const batchable = [...types].filter(([, type]) => type === 'batchable').map(([name]) => `\`${name}\``);
  if (batchable.length === 0) return 'add a batchable step and depend on it, or give this step another type';
  return `add ${batchable.slice(0, 3).join(' or ')} to its dependencies, or give it another type`;
}

function convergenceRules({ type, name, path }: StepSketch, dynamic: ReadonlySet<string>): Finding[] {
  if (type !== 'deferred_convergence' || dynamic.has(name)) return [];
  const message = `deferred_convergence step \`${name}\` does not depend on a decision or a batch_worker; make it a standard step`;
  return [{ severity: 'warning', code: 'nothing_to_converge', message, path: [...path, 'type'] }];
}

/** Returns the steps that have a decision or a batch worker among their ancestors. */
function dynamicSteps(steps: readonly StepSketch[]): Set<string> {
  const children = new Map<string, string[]>(steps.map(({ name }) => [name, []]));
  for (const { name, dependencies } of steps) for (const parent of dependencies) children.get(parent.name)?.push(name);
  const found = new Set<string>();
  const open = steps.filter(({ type }) => type === 'decision' || type === 'batch_worker').map(({ name }) => name);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const child of children.get(name) ?? []) {
      if (found.has(child)) continue;
      found.add(child);
      open.push(child);
    }
  }
  return found;
}
