import { type Fields, isFields } from './json.ts';

/** An outcome that cannot be used, and the reason. */
export interface Wrong {
  kind: 'wrong';
  reason: string;
}

/** The outcome in the result of a decision step. */
export type DecisionOutcome = { kind: 'no_branches' } | { kind: 'create_steps'; stepNames: string[] } | Wrong;

/** One part of a batch: the last part of its worker's name, and the cursor as JSON text. */
export interface BatchPart {
  batchId: string;
  cursor: string;
}

/** The outcome in the result of a batchable step. */
export type BatchOutcome =
  | { kind: 'no_batches'; workerTemplateName: string | null }
  | { kind: 'create_batches'; workerTemplateName: string | null; parts: BatchPart[] }
  | Wrong;

const LONGEST_ID = 100;
/** Not allowed in ids, because ids are parts of names in logs and on screens. */
const CONTROL = /\p{Cc}/u;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

export const wrong = (reason: string): Wrong => ({ kind: 'wrong', reason });

/** Returns whether a result has the outcome of a decision or an analyzer. */
export function hasOutcome(result: unknown): boolean {
  if (!isFields(result)) return false;
  return ['decision_point_outcome', 'batch_processing_outcome', 'batch_analyzer_outcome'].some((key) => key in result);
}

/** Reads `decision_point_outcome` of a decision's result. Duplicate names are removed. */
export function decisionOutcome(result: unknown): DecisionOutcome {
  const outcome = isFields(result) ? result.decision_point_outcome : undefined;
  if (!isFields(outcome)) {
    return wrong(
      `the result of a decision step must have decision_point_outcome, an object; got ${shown(outcome)}. Return decisionSuccess(…) or skipBranches(…)`,
    );
  }
  if (outcome.type === 'no_branches') return { kind: 'no_branches' };
  if (outcome.type !== 'create_steps') {
    return wrong(`decision_point_outcome.type must be create_steps or no_branches, got ${shown(outcome.type)}`);
  }
  const names = outcome.step_names;
  if (!Array.isArray(names)) {
    return wrong(`decision_point_outcome.step_names must be a list of step names, got ${shown(names)}`);
  }
  const odd = names.findIndex((name) => typeof name !== 'string');
  if (odd >= 0) {
    return wrong(`decision_point_outcome.step_names[${odd}] must be the name of a step, got ${shown(names[odd])}`);
  }
  if (names.length === 0) {
    return wrong('decision_point_outcome.step_names is empty; use no_branches to create no steps');
  }
  return { kind: 'create_steps', stepNames: [...new Set(names as string[])] };
}

/** Reads `batch_processing_outcome` of an analyzer's result, or `batch_analyzer_outcome`, which another SDK writes. */
export function batchOutcome(result: unknown): BatchOutcome {
  const fields = isFields(result) ? result : {};
  if (isFields(fields.batch_analyzer_outcome) && fields.batch_processing_outcome === undefined)
    return analyzerOutcome(fields.batch_analyzer_outcome);
  const outcome = fields.batch_processing_outcome;
  if (!isFields(outcome)) {
    return wrong(
      `the result of a batchable step must have batch_processing_outcome, an object; got ${shown(outcome)}. Return batchAnalyzerSuccess(…) or noBatchesResult(…)`,
    );
  }
  const name = outcome.worker_template_name ?? null;
  if (name !== null && typeof name !== 'string') {
    return wrong(`batch_processing_outcome.worker_template_name must be the name of a step, got ${shown(name)}`);
  }
  if (outcome.type === 'no_batches') return { kind: 'no_batches', workerTemplateName: name };
  if (outcome.type !== 'create_batches') {
    return wrong(`batch_processing_outcome.type must be create_batches or no_batches, got ${shown(outcome.type)}`);
  }
  const parts = partsOf(outcome.cursor_configs);
  if ('reason' in parts) return parts;
  const count = outcome.worker_count;
  if (count !== undefined && count !== null && count !== parts.length) {
    return wrong(
      `batch_processing_outcome.worker_count is ${shown(count)}, but cursor_configs has ${parts.length} ${parts.length === 1 ? 'entry' : 'entries'}; make them equal, or omit worker_count`,
    );
  }
  return { kind: 'create_batches', workerTemplateName: name, parts };
}

function partsOf(configs: unknown): BatchPart[] | Wrong {
  const field = 'batch_processing_outcome.cursor_configs';
  if (!Array.isArray(configs)) return wrong(`${field} must be a list, got ${shown(configs)}`);
  if (configs.length === 0) return wrong(`${field} is empty; use no_batches if there is nothing to do`);
  const parts: BatchPart[] = [];
  const seen = new Map<string, number>();
  for (const [i, config] of configs.entries()) {
    const id: unknown = isFields(config) ? config.batch_id : undefined;
    const batchId = typeof id === 'number' ? String(id) : id;
    if (typeof batchId !== 'string' || batchId.trim() === '' || batchId.length > LONGEST_ID || CONTROL.test(batchId)) {
      return wrong(
        `${field}[${i}].batch_id must be a string of 1 to ${LONGEST_ID} characters without control characters, got ${shown(id)}`,
      );
    }
    const before = seen.get(batchId);
    if (before !== undefined) {
      return wrong(
        `${field}[${i}].batch_id is ${shown(batchId)}, like that of cursor_configs[${before}]; ids must be unique`,
      );
    }
    seen.set(batchId, i);
    parts.push({ batchId, cursor: JSON.stringify({ ...(config as Fields), batch_id: batchId }) });
  }
  return parts;
}

/**
 * Reads `{ cursor_configs: [{ start_cursor, end_cursor, step_size }] }`. The outcome has no ids, so parts are numbered
 * from 001.
 */
function analyzerOutcome(outcome: Fields): BatchOutcome {
  const configs = outcome.cursor_configs;
  if (!Array.isArray(configs)) {
    return wrong(`batch_analyzer_outcome.cursor_configs must be a list, got ${shown(configs)}`);
  }
  if (configs.length === 0) return { kind: 'no_batches', workerTemplateName: null };
  const odd = configs.findIndex((config) => !isFields(config));
  if (odd >= 0) {
    return wrong(`batch_analyzer_outcome.cursor_configs[${odd}] must be an object, got ${shown(configs[odd])}`);
  }
  const parts = configs.map((config: Fields, i): BatchPart => {
    const batchId = String(i + 1).padStart(3, '0');
    const { start_cursor: start = 0, end_cursor: end = 0 } = config;
    const size = typeof start === 'number' && typeof end === 'number' ? end - start : (config.step_size ?? 1);
    return {
      batchId,
      cursor: JSON.stringify({ ...config, batch_id: batchId, start_cursor: start, end_cursor: end, batch_size: size }),
    };
  });
  return { kind: 'create_batches', workerTemplateName: null, parts };
}
