import { waitsByType } from '../../model/waits.ts';
import { parseTemplate, type TemplateProblem } from '../parse-template.ts';
import { readYaml } from '../read-yaml.ts';
import { sketchesOf } from '../step-rules.ts';
import type { TaskTemplate } from '../task-template.ts';
import { graphOf } from '../template-graph.ts';
import { propertiesOf, requiredOf, typesOf } from './compare-schemas.ts';

/** A remark on a template, with its code in the original system if there is one. */
export interface Finding {
  code: string;
  severity: 'error' | 'warning' | 'info';
  message: string;
  /** Null if the remark concerns the whole template. */
  step: string | null;
  /** Null if the remark has no place in the file. */
  line: number | null;
}

/** The outcome of {@link validateTemplate}. */
export interface Validation {
  valid: boolean;
  findings: Finding[];
  step_count: number;
  has_cycles: boolean;
}

/** Codes that have another name in the original system. Other codes are only converted to capitals. */
const CODES: Readonly<Record<string, string>> = {
  duplicate_step: 'DUPLICATE_STEP_NAME',
  self_dependency: 'SELF_DEPENDENCY',
  unknown_step: 'MISSING_DEP_REF',
  dependency_cycle: 'CYCLE_DETECTED',
};
/** Checks the text of a template, and adds remarks on its design. */
export function validateTemplate(text: string): Validation {
  const { template, problems } = parseTemplate(text);
  const names = sketchesOf(readYaml(text).data).map(({ name }) => name);
  const findings = [...problems.map((problem) => findingOf(problem, names)), ...(template ? remarks(template) : [])];
  const codes = new Set(findings.map(({ code }) => code));
  return {
    valid: !findings.some(({ severity }) => severity === 'error'),
    findings,
    step_count: template?.steps.length ?? names.length,
    has_cycles: codes.has('CYCLE_DETECTED') || codes.has('SELF_DEPENDENCY'),
  };
}

function findingOf({ code, severity, message, path, line }: TemplateProblem, names: readonly string[]): Finding {
  const [, index] = /^steps\[(\d+)\]/.exec(path) ?? [];
  const isCallable = /handler(\.callable)?$/.test(path) && /^(missing|bad|wrong|too_small|out_of)/.test(code);
  const special = isCallable
    ? 'EMPTY_CALLABLE'
    : path === 'namespace' && code === 'bad_length'
      ? 'NAMESPACE_TOO_LONG'
      : undefined;
  const known = special ?? CODES[code] ?? code.toUpperCase();
  return { code: known, severity, message, step: index === undefined ? null : (names[Number(index)] ?? null), line };
}

function remarks(template: TaskTemplate): Finding[] {
  const { steps, inputSchema } = template;
  const note = (code: string, severity: Finding['severity'], step: string | null, message: string): Finding => {
    return { code, severity, message, step, line: null };
  };
  const { parents, children } = graphOf(template);
  const found: Finding[] = [];
  const notObject = (schema: object) => typesOf(schema)?.includes('object') === false;
  if (inputSchema && notObject(inputSchema)) {
    found.push(
      note('SCHEMA_NOT_OBJECT', 'warning', null, 'input_schema does not describe an object; contexts are objects'),
    );
  }
  for (const [index, { name, resultSchema, type }] of steps.entries()) {
    if (resultSchema && notObject(resultSchema)) {
      const message = `result_schema of ${name} does not describe an object; results are objects`;
      found.push(note('SCHEMA_NOT_OBJECT', 'warning', name, message));
    }
    if (steps.length > 1 && parents[index]!.length === 0 && children[index]!.length === 0) {
      found.push(note('ORPHAN_STEP', 'warning', name, `step ${name} depends on no step, and no step depends on it`));
    }
    if (!resultSchema && !waitsByType(type)) {
      found.push(
        note('NO_RESULT_SCHEMA', 'info', name, `step ${name} has no result_schema, so its result is not checked`),
      );
    }
  }
  return found;
}

/** Returns the structure of a template: the order of its steps, and the declarations of its schemas. */
export function inspectTemplate(template: TaskTemplate) {
  const { order, names, parents, children, roots } = graphOf(template);
  const nameOf = (index: number) => names[index]!;
  const fieldsOf = (schema: unknown) => ({
    fields: Object.keys(propertiesOf(schema)).length,
    required_fields: requiredOf(schema).size,
  });
  const { namespace, name, version, description, inputSchema } = template;
  return {
    namespace,
    name,
    version,
    description,
    step_count: names.length,
    execution_order: order.map(nameOf),
    root_steps: roots.map(nameOf),
    leaf_steps: order.filter((index) => children[index]!.length === 0).map(nameOf),
    input_schema: inputSchema ? fieldsOf(inputSchema) : null,
    steps: template.steps.map((step, index) => ({
      name: step.name,
      type: step.type,
      callable: step.handler.callable,
      depends_on: parents[index]!.map(nameOf),
      dependents: children[index]!.map(nameOf),
      result_schema: step.resultSchema ? fieldsOf(step.resultSchema) : null,
    })),
  };
}
