import { branchesOf, decisionDepths } from '../model/branches.ts';
import {
  type BatchOutcome,
  type BatchPart,
  batchOutcome,
  decisionOutcome,
  type Wrong,
  wrong,
} from '../model/dynamic-outcome.ts';
import { isWorkerIndex, MAX_WORKERS } from '../model/ids.ts';
import { nearNames } from '../model/near-names.ts';
import type { FailureStrategy, TaskTemplate } from '../template/task-template.ts';
import type { TemplateGraph } from '../template/template-graph.ts';

/** Limits on the steps that results may create. */
export interface DynamicLimits {
  /** Maximum number of steps that one decision may name. */
  stepsPerDecision: number;
  /** Maximum number of decisions on one path through a template. */
  decisionDepth: number;
  /** Maximum number of workers that one analyzer may create. */
  workersPerBatch: number;
}

export const DYNAMIC_LIMITS: DynamicLimits = { stepsPerDecision: 100, decisionDepth: 20, workersPerBatch: 10_000 };

/** Steps that a result creates, in the transaction that records it. */
export type Expansion =
  | { kind: 'branches'; steps: readonly number[] }
  | {
      kind: 'batch';
      /** The template step that the workers are created from. */
      worker: number;
      parts: readonly BatchPart[];
      noOp: boolean;
      parallelism: number;
      failureStrategy: FailureStrategy;
    };

/** The steps that a completed step creates, undefined if it creates none, or the reason why its outcome is wrong. */
export type Expanding = Expansion | Wrong | undefined;

/** A template and its graph. */
interface Expandable {
  template: TaskTemplate;
  graph: TemplateGraph;
}

/** A step that completed, with its result as plain JSON. */
interface Completed {
  idx: number;
  result: unknown;
  limits: DynamicLimits;
}

/** Reads the outcome of a decision or an analyzer. `result` is plain JSON. Results of other steps are not read. */
export function expansionOf(of: Expandable, completed: Completed): Expanding {
  const type = isWorkerIndex(completed.idx) ? undefined : of.graph.types[completed.idx];
  if (type === 'decision') return branches(of, completed);
  if (type === 'batchable') return batch(of, completed);
  return undefined;
}

function branches({ graph }: Expandable, { idx, result, limits }: Completed): Expanding {
  const depth = decisionDepths(graph)[idx]!;
  if (depth > limits.decisionDepth) {
    return wrong(`decision ${graph.names[idx]} is nested ${depth} deep; at most ${limits.decisionDepth} are allowed`);
  }
  const outcome = decisionOutcome(result);
  if (outcome.kind === 'wrong') return outcome;
  if (outcome.kind === 'no_branches') return undefined;
  if (outcome.stepNames.length > limits.stepsPerDecision) {
    return wrong(
      `decision_point_outcome.step_names names ${outcome.stepNames.length} steps; at most ${limits.stepsPerDecision} are allowed`,
    );
  }
  const possible = branchesOf(graph, idx);
  const names = possible.map((step) => graph.names[step]!);
  const unknown = outcome.stepNames.filter((name) => !names.includes(name));
  if (unknown.length > 0) return wrong(unknownBranch(graph.names, unknown[0]!, names));
  return { kind: 'branches', steps: outcome.stepNames.map((name) => graph.indexOf.get(name)!) };
}

function unknownBranch(all: readonly string[], name: string, possible: readonly string[]): string {
  const what = all.includes(name)
    ? 'is not downstream of this decision, or is created by other rules'
    : 'is not a step';
  return `decision_point_outcome.step_names: ${JSON.stringify(name)} ${what}${hintOf(name, possible)}`;
}

function hintOf(name: string, possible: readonly string[]): string {
  const near = nearNames(name, possible, 1)[0];
  return `${near === undefined ? '.' : `; did you mean ${near}?`} Possible steps are ${listed(possible)}`;
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  return names.length <= 20 ? names.join(', ') : `${names.slice(0, 20).join(', ')} and ${names.length - 20} more`;
}

function batch(snapshot: Expandable, { idx, result, limits }: Completed): Expanding {
  const outcome = batchOutcome(result);
  if (outcome.kind === 'wrong') return outcome;
  const worker = workerOf(snapshot, idx, outcome);
  if (typeof worker !== 'number') return worker;
  const step = snapshot.template.steps[worker]!;
  const config = step.batchConfig!;
  const most = Math.min(limits.workersPerBatch, MAX_WORKERS);
  const parts =
    outcome.kind === 'no_batches'
      ? [{ batchId: '000', cursor: '{"batch_id":"000","start_cursor":0,"end_cursor":0,"batch_size":0}' }]
      : outcome.parts;
  if (parts.length > most) {
    return wrong(
      `batch_processing_outcome.cursor_configs has ${parts.length} entries; at most ${most} are allowed, so make the batches larger`,
    );
  }
  const taken = nameTaken(snapshot, step.name, parts);
  if (taken) return wrong(`batch_processing_outcome.cursor_configs: ${taken}`);
  return {
    kind: 'batch',
    worker,
    parts,
    noOp: outcome.kind === 'no_batches',
    parallelism: config.parallelism,
    failureStrategy: config.failureStrategy,
  };
}

/** Returns why the name of a worker is not unique. Undefined if all names are. */
function nameTaken({ graph }: Expandable, name: string, parts: readonly BatchPart[]): string | undefined {
  // `a_b_1` could be a worker of `a` or of `a_b`.
  const longer = graph.names.filter((other, i) => graph.types[i] === 'batch_worker' && other.startsWith(`${name}_`));
  for (const { batchId } of parts) {
    const made = `${name}_${batchId}`;
    const makes = `batch_id ${JSON.stringify(batchId)} makes ${made}, which`;
    if (graph.indexOf.has(made)) return `${makes} is the name of another step`;
    const other = longer.find((worker) => made.startsWith(`${worker}_`));
    if (other !== undefined) return `${makes} may also be the name of a worker of ${other}`;
  }
  return undefined;
}

/** Returns the template step of the workers. The outcome or the analyzer's configuration names it, or there is only one. */
function workerOf(
  { template, graph }: Expandable,
  idx: number,
  outcome: BatchOutcome & { workerTemplateName: string | null },
) {
  const possible = graph.children[idx]!.filter((child) => graph.types[child] === 'batch_worker');
  const names = possible.map((step) => graph.names[step]!);
  const configured = template.steps[idx]!.handler.initialization.worker_template_name;
  const own = outcome.workerTemplateName ?? (typeof configured === 'string' ? configured : undefined);
  if (own === undefined) {
    if (possible.length === 1) return possible[0]!;
    return wrong(
      `batch_processing_outcome has no worker_template_name, and ${possible.length} batch_worker steps depend on ${graph.names[idx]}: ${listed(names)}. Set it to one of them`,
    );
  }
  const found = possible.find((step) => graph.names[step] === own);
  if (found !== undefined) return found;
  return wrong(
    `batch_processing_outcome.worker_template_name: ${JSON.stringify(own)} is not a batch_worker step that depends on ${graph.names[idx]}${hintOf(own, names)}`,
  );
}
