import type { ExpressionScope } from '../expressions/check-expression.ts';
import { type Fields, isFields } from '../model/json.ts';
import { perSecond } from '../model/rate.ts';
import { waitsByType } from '../model/waits.ts';
import { expressionFindings } from './expression-rules.ts';
import type { Path } from './spellings.ts';
import { type Finding, type StepSketch, suggester } from './step-rules.ts';

/** Checks the limits of a template, and the steps that name them. */
export function limitRules(data: unknown, steps: readonly StepSketch[]): Finding[] {
  if (!isFields(data)) return [];
  const limits: Fields = isFields(data.limits) ? data.limits : {};
  const used = new Set<string>();
  const findings = steps.flatMap((step) => stepFindings(step, { limits, used }));
  const ofLimits = Object.entries(limits).flatMap(([name, limit]): Finding[] => {
    if (!isFields(limit)) return [];
    const path = ['limits', name];
    const unused: Finding[] = used.has(name)
      ? []
      : [warning('limit_unused', `no step names the limit \`${name}\`; add it to the \`limits\` of a step`, path)];
    return [...valueFindings(name, limit, path), ...keyFindings(limit, data, path), ...unused];
  });
  return [...findings, ...ofLimits];
}

const error = (code: string, message: string, path: Path, atKey = true): Finding => ({
  severity: 'error',
  code,
  message,
  path,
  atKey,
});
const warning = (code: string, message: string, path: Path): Finding => ({
  ...error(code, message, path),
  severity: 'warning',
});

function stepFindings(
  { name, type, path, fields }: StepSketch,
  { limits, used }: { limits: Fields; used: Set<string> },
): Finding[] {
  const named: unknown = fields['limits'];
  if (!Array.isArray(named) || named.length === 0) return [];
  const suggest = suggester(Object.keys(limits));
  const unknown = named.flatMap((limit: unknown, i): Finding[] => {
    if (typeof limit !== 'string') return [];
    used.add(limit);
    if (Object.hasOwn(limits, limit)) return [];
    const way = suggest(limit) || '; add it to the `limits` of the template';
    return [
      error(
        'unknown_limit',
        `\`${name}\` names the limit \`${limit}\`, which does not exist${way}`,
        [...path, 'limits', i],
        false,
      ),
    ];
  });
  if (!waitsByType(type)) return unknown;
  const message = `limits of \`${name}\` have no effect, because a ${type} step has no handler; remove them`;
  return [...unknown, error('limits_unused', message, [...path, 'limits'])];
}

function valueFindings(name: string, { concurrent, rate, burst, key, fair }: Fields, path: Path): Finding[] {
  const has = (value: unknown) => (value ?? null) !== null;
  const findings: Finding[] = [];
  if (!has(concurrent) && !has(rate)) {
    findings.push(error('limit_empty', `the limit \`${name}\` limits nothing; give \`concurrent\` or \`rate\``, path));
  }
  if (typeof rate === 'string' && perSecond(rate) === 0) {
    findings.push(
      error(
        'limit_rate',
        `the rate of \`${name}\` is 0; pause the template to stop its steps`,
        [...path, 'rate'],
        false,
      ),
    );
  }
  if (has(burst) && !has(rate)) {
    findings.push(
      error('limit_burst', `\`burst\` of \`${name}\` has no effect without \`rate\`; remove it`, [...path, 'burst']),
    );
  }
  if (fair === true && !has(key)) {
    findings.push(
      error('limit_fair', `\`fair\` of \`${name}\` has no effect without \`key\`; add the key that takes turns`, [
        ...path,
        'fair',
      ]),
    );
  }
  return findings;
}

/** The values of `task` that no two tasks share. */
const OWN = /\btask\.(uuid|created_at)\b/;

function keyFindings({ key }: Fields, data: Fields, path: Path): Finding[] {
  if (typeof key !== 'string') return [];
  const at = [...path, 'key'];
  const scope: ExpressionScope = {
    context: isFields(data.input_schema) ? data.input_schema : null,
    steps: new Map(),
    unreadable: () => 'cannot be read, because the key of a limit is computed when the task is created',
  };
  const findings = expressionFindings({ text: key, path: at }, scope, data);
  const own = OWN.exec(key);
  if (findings.length > 0 || !own) return findings;
  return [
    error(
      'limit_key_own',
      `the key reads task.${own[1]}, which differs for each task; read a value of the context`,
      at,
      false,
    ),
  ];
}
