import { isFields } from '../model/json.ts';
import type { Finding, StepSketch } from './step-rules.ts';
import { waitsByType } from './task-template.ts';

/** The fields of a step of the type `for_each` besides `elements`, and the field of other steps that may be meant. */
const FIELDS: Readonly<Record<string, string | undefined>> = {
  key: undefined,
  parallelism: undefined,
  on_element_failure: undefined,
  steps: undefined,
  output: 'inputs',
};

/** Why steps of these types cannot run for each element. */
const REFUSED: Readonly<Record<string, string>> = {
  decision: 'write `when` on the steps of its branches, or start a child task with `type: task`',
  deferred_convergence: 'write `run_if: ended`, or start a child task with `type: task`',
  batchable: 'start a child task with `type: task`, whose template has the batch',
  batch_worker: 'start a child task with `type: task`, whose template has the batch',
  for_each: 'start a child task with `type: task`, whose template has the inner list',
  fail: 'let a handler fail permanently; `on_element_failure` decides about the others',
};

/** Checks steps of the type `for_each` and the steps of their elements. */
export function forEachRules(steps: readonly StepSketch[]): Finding[] {
  const ownerOf = new Map(steps.map(({ name, elementOf }) => [name, elementOf]));
  return steps.flatMap((step) => [
    ...unusedFields(step),
    ...missingSteps(step),
    ...elementStepRules(step),
    ...dependencyFindings(step, ownerOf),
  ]);
}

const given = (fields: Record<string, unknown>, key: string) => (fields[key] ?? null) !== null;

function unusedFields({ type, name, path, fields, elementOf }: StepSketch): Finding[] {
  // With `elements`, another rule asks for the type.
  if (type === 'for_each' || elementOf !== undefined || given(fields, 'elements')) return [];
  return Object.entries(FIELDS).flatMap(([key, meant]): Finding[] => {
    if (!given(fields, key)) return [];
    const way = meant !== undefined && !waitsByType(type) ? `did you mean \`${meant}\`?` : 'remove it';
    const message = `\`${key}\` of \`${name}\` has no effect on a ${type} step, because only steps of the type for_each have it; ${way}`;
    return [{ severity: 'error', code: 'for_each_unused', message, path: [...path, key], atKey: true }];
  });
}

function missingSteps({ type, name, path, fields }: StepSketch): Finding[] {
  if (type !== 'for_each' || (Array.isArray(fields.steps) && fields.steps.length > 0)) return [];
  if (given(fields, 'steps') && !Array.isArray(fields.steps)) return [];
  const message = `for_each step \`${name}\` has no \`steps\`; add the steps that run for each element`;
  return [{ severity: 'error', code: 'missing_field', message, path: [...path, 'steps'] }];
}

function elementStepRules({ type, name, path, fields, elementOf }: StepSketch): Finding[] {
  if (elementOf === undefined) return [];
  const findings: Finding[] = [];
  const way = REFUSED[type];
  if (way !== undefined) {
    const message = `\`${name}\` of the type ${type} cannot run for each element of \`${elementOf}\`; ${way}`;
    findings.push({ severity: 'error', code: 'element_step_type', message, path: [...path, 'type'] });
  }
  if (isFields(fields.undo)) {
    const message = `\`${name}\`, which runs for each element of \`${elementOf}\`, cannot have \`undo\`; write \`undo\` on \`${elementOf}\`, whose result has the outputs of all elements`;
    findings.push({ severity: 'error', code: 'undo_unused', message, path: [...path, 'undo'], atKey: true });
  }
  return findings;
}

/** The steps of an element depend only on each other, and no other step depends on one of them. */
function dependencyFindings(
  { name, path, dependencies, elementOf }: StepSketch,
  ownerOf: ReadonlyMap<string, string | undefined>,
): Finding[] {
  return dependencies.flatMap(({ name: parent, index }): Finding[] => {
    const owner = ownerOf.get(parent);
    if (!ownerOf.has(parent) || owner === elementOf || parent === name) return [];
    const at = [...path, 'dependencies', index];
    const error = (message: string): Finding[] => [
      { severity: 'error', code: 'element_dependency', message, path: at },
    ];
    if (elementOf === undefined) {
      return error(
        `\`${name}\` depends on \`${parent}\`, which runs for each element of \`${owner}\`; depend on \`${owner}\``,
      );
    }
    const way =
      parent === elementOf
        ? 'its steps start for each element anyway; remove the dependency'
        : owner === undefined
          ? `add it to the dependencies of \`${elementOf}\`; its result can be read in expressions then`
          : 'the steps of an element can depend only on each other';
    return error(
      `\`${name}\`, which runs for each element of \`${elementOf}\`, cannot depend on \`${parent}\`: ${way}`,
    );
  });
}
