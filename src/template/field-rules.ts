import { type Fields, isFields, overLimit } from '../model/json.ts';
import { ALL_STEPS } from './apply-environment.ts';
import { schemaProblems } from './json-schema-check.ts';
import { phraseOf } from './locate.ts';
import type { Path } from './spellings.ts';
import { type Finding, type StepSketch, suggester } from './step-rules.ts';
import { DEFAULT_RETRY } from './task-template.ts';
import { SENSITIVE_PATH } from './template-file.ts';

/** Retries with a shorter delay than this mostly cost database round trips. */
const SHORT_BACKOFF_MS = 10;

/** Checks that overrides name existing steps, each once. */
export function environmentRules(data: unknown, steps: readonly StepSketch[]): Finding[] {
  const names = new Set(steps.map(({ name }) => name));
  const suggest = suggester([...names, ALL_STEPS]);
  const seen = new Set<string>();
  return overridesOf(data).flatMap(({ environment, fields: { name }, path }): Finding[] => {
    if (typeof name !== 'string' || name === '') return [];
    const at = [...path, 'name'];
    if (name !== ALL_STEPS && !names.has(name)) {
      const message = `unknown step \`${name}\` in environment \`${environment}\`${suggest(name) || `; name a step, or ${ALL_STEPS}`}`;
      return [{ severity: 'error', code: 'unknown_step', message, path: at }];
    }
    const change = JSON.stringify([environment, name]);
    if (seen.has(change)) {
      const message = `environment \`${environment}\` overrides \`${name}\` twice; the later override wins where they differ`;
      return [{ severity: 'warning', code: 'duplicate_override', message, path: at }];
    }
    seen.add(change);
    return [];
  });
}

/** Finds retry policies that are valid but have an unexpected effect. */
export function retryRules(data: unknown, steps: readonly StepSketch[]): Finding[] {
  const undos = steps.flatMap(({ fields: { undo }, path }) =>
    isFields(undo) ? [{ fields: undo, path: [...path, 'undo'] }] : [],
  );
  return [...steps, ...undos, ...overridesOf(data)].flatMap(({ fields: { retry }, path }) =>
    isFields(retry) ? retryFindings(retry, [...path, 'retry'], data) : [],
  );
}

function retryFindings(retry: Fields, path: Path, data: unknown): Finding[] {
  return [
    ...policyFindings(retry, path, data),
    ...timeFindings(retry, path, data),
    ...ruleFindings(retry, path, data),
    ...fieldsIn(retry.rules, [...path, 'rules']).flatMap((rule) =>
      policyFindings({ ...without(retry, 'max_attempts'), ...rule.fields }, rule.path, data, rule.fields),
    ),
  ];
}

function without(fields: Fields, key: string): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => name !== key));
}

/** Finds a time that has no effect, because no failure is retried. */
function timeFindings(retry: Fields, path: Path, data: unknown): Finding[] {
  const isSingle = typeof retry.max_attempts === 'number' && retry.max_attempts <= 1 && !hasRules(retry);
  if ((retry.for ?? null) === null || (retry.retryable !== false && !isSingle)) return [];
  const why = isSingle ? 'there is only one attempt' : 'the step is not retryable';
  const message = `\`for\` in ${phraseOf(path, data)} has no effect, because ${why}; remove it`;
  return [{ severity: 'warning', code: 'no_effect', message, path: [...path, 'for'], atKey: true }];
}

const hasRules = ({ rules }: Fields) => Array.isArray(rules) && rules.length > 0;

/** The fields that a rule can set. */
const SETTINGS = ['max_attempts', 'backoff', 'backoff_base_ms', 'max_backoff_ms'];

/** Finds rules that never apply, because of the policy or an earlier rule, and rules that change nothing. */
function ruleFindings(retry: Fields, path: Path, data: unknown): Finding[] {
  if (!hasRules(retry)) return [];
  if (retry.retryable === false) {
    const message = `the rules in ${phraseOf(path, data)} never apply, because the step is not retryable; to retry only the failures that they name, write \`max_attempts: 1\` instead of \`retryable: false\``;
    return [{ severity: 'error', code: 'rules_unused', message, path: [...path, 'rules'], atKey: true }];
  }
  const first = new Map<string, number>();
  return fieldsIn(retry.rules, [...path, 'rules']).flatMap(({ fields, path: at }): Finding[] => {
    const own = Number(at.at(-1));
    const errors = errorsOf(fields, at);
    const covered = errors.flatMap(({ name, path: place }) => {
      const by = first.get(name);
      first.set(name, by ?? own);
      return by === undefined ? [] : [{ name, place, by }];
    });
    const where = phraseOf(at, data);
    if (errors.length > 0 && covered.every(({ by }) => by < own) && covered.length === errors.length) {
      const by = [...new Set(covered.map((each) => `\`rules[${each.by}]\``))].join(' and ');
      const message = `${where} never applies, because ${by} comes first for ${errors.map(({ name }) => `\`${name}\``).join(', ')}; remove it, or move it up`;
      return [{ severity: 'error', code: 'rule_unreachable', message, path: at }];
    }
    return [
      ...covered.map(({ name, place, by }): Finding => {
        const message =
          by === own
            ? `\`${name}\` is in ${where} twice; remove one`
            : `\`${name}\` in ${where} has no effect, because \`rules[${by}]\` comes first; remove it`;
        return { severity: 'warning', code: 'no_effect', message, path: place };
      }),
      ...uselessFindings(fields, at, where),
    ];
  });
}

/** Finds a rule that sets nothing, and settings of retries that a rule refuses. */
function uselessFindings(fields: Fields, path: Path, where: string): Finding[] {
  const set = SETTINGS.filter((key) => (fields[key] ?? null) !== null);
  if (fields.retryable === false && set.length > 0) {
    const message = `\`${set[0]}\` in ${where} has no effect, because its failures are not retried; remove it`;
    return [{ severity: 'warning', code: 'no_effect', message, path: [...path, set[0]!], atKey: true }];
  }
  if (Object.entries(fields).some(([key, value]) => key !== 'error' && value !== null)) return [];
  const message = `${where} changes nothing; add for example \`max_attempts: 20\` or \`retryable: false\``;
  return [{ severity: 'warning', code: 'no_effect', message, path }];
}

/** Returns the errors of a rule with their places. */
function errorsOf({ error }: Fields, path: Path): { name: string; path: Path }[] {
  const at = [...path, 'error'];
  if (typeof error === 'string') return [{ name: error, path: at }];
  const list: unknown[] = Array.isArray(error) ? error : [];
  return list.flatMap((name, index) => (typeof name === 'string' ? [{ name, path: [...at, index] }] : []));
}

/** Finds settings with an unexpected effect. `own`: the fields that a rule sets itself; the others are those of the policy. */
function policyFindings(retry: Fields, path: Path, data: unknown, own: Fields = retry): Finding[] {
  const where = phraseOf(path, data);
  const findings: Finding[] = [];
  if (retry.max_attempts === 0) {
    const message = `max_attempts in ${where} is 0 and counts as 1, because the first attempt is included; write 1`;
    findings.push({ severity: 'warning', code: 'no_attempts', message, path: [...path, 'max_attempts'] });
  }
  const base = retry.backoff_base_ms ?? DEFAULT_RETRY.backoffBaseMs;
  const most = retry.max_backoff_ms ?? DEFAULT_RETRY.maxBackoffMs;
  if (retry.backoff !== 'none' && typeof base === 'number' && typeof most === 'number' && base > most) {
    const message = `backoff_base_ms ${base} in ${where} is more than max_backoff_ms ${most}, so every delay is ${most} ms; increase max_backoff_ms`;
    const at = own.backoff_base_ms == null ? 'max_backoff_ms' : 'backoff_base_ms';
    if (own[at] != null) findings.push({ severity: 'warning', code: 'backoff_capped', message, path: [...path, at] });
  }
  for (const key of ['backoff_base_ms', 'max_backoff_ms'] as const) {
    const delay = retry[key];
    if (retry.backoff === 'none' || own[key] == null || !isWhole(delay) || delay < 1 || delay >= SHORT_BACKOFF_MS)
      continue;
    const message = `${key} ${delay} in ${where} is less than ${SHORT_BACKOFF_MS} ms, so the step is retried almost immediately; increase it, or write \`backoff: none\``;
    findings.push({ severity: 'warning', code: 'backoff_short', message, path: [...path, key] });
  }
  return findings;
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value);
}

/** Checks the size of the default context. A default that is too large would cause every task to be rejected. */
export function defaultContextRules(data: unknown): Finding[] {
  const defaults = isFields(data) && isFields(data.default_context) ? data.default_context : {};
  const over = overLimit(defaults, 'default_context');
  if (!over) return [];
  const message = `\`${over.path}\` ${over.reason} in a context`;
  return [{ severity: 'error', code: 'default_context_too_large', message, path: ['default_context'] }];
}

/** Checks that each event is declared only once in a template. */
export function eventRules(steps: readonly StepSketch[]): Finding[] {
  const seen = new Map<string, string>();
  return steps.flatMap(({ name: step, path: at, fields: { publishes_events } }) =>
    fieldsIn(publishes_events, [...at, 'publishes_events']).flatMap(({ fields: { name }, path }): Finding[] => {
      if (typeof name !== 'string') return [];
      const before = seen.get(name);
      seen.set(name, before ?? step);
      if (before === undefined) return [];
      const message = `event \`${name}\` is declared by \`${before}\` and again by \`${step}\`; subscribers cannot distinguish them`;
      return [{ severity: 'warning', code: 'duplicate_event', message, path: [...path, 'name'] }];
    }),
  );
}

/** Checks that every JSON Schema in the file is valid. */
export function schemaRules(data: unknown, steps: readonly StepSketch[]): Finding[] {
  const task = isFields(data) ? data : {};
  const events = [
    ...fieldsIn(task.domain_events, ['domain_events']),
    ...steps.flatMap(({ fields, path }) => fieldsIn(fields.publishes_events, [...path, 'publishes_events'])),
  ];
  const schemas: { schema: unknown; path: Path }[] = [
    { schema: task.input_schema, path: ['input_schema'] },
    { schema: task.output_schema, path: ['output_schema'] },
    ...steps.flatMap(({ fields: { result_schema, signal, approval }, path }) => [
      { schema: result_schema, path: [...path, 'result_schema'] },
      { schema: isFields(signal) ? signal.schema : null, path: [...path, 'signal', 'schema'] },
      ...Object.entries(isFields(signal) && isFields(signal.schemas) ? signal.schemas : {}).map(([name, schema]) => ({
        schema,
        path: [...path, 'signal', 'schemas', name],
      })),
      { schema: isFields(approval) ? approval.form : null, path: [...path, 'approval', 'form'] },
    ]),
    ...events.map(({ fields, path }) => ({ schema: fields.schema, path: [...path, 'schema'] })),
  ];
  return schemas.flatMap(({ schema, path }) =>
    isFields(schema)
      ? schemaProblems(schema).map((problem): Finding => {
          const inside = problem.path === '' ? '' : `at ${problem.path} `;
          const is = problem.refused ? 'is rejected' : 'is not a JSON Schema';
          const message = `${phraseOf(path, data)} ${is}: ${inside}${problem.message}`;
          const at = [...path, ...pointerPath(problem.path, schema)];
          return { severity: 'error', code: 'bad_schema', message, path: at };
        })
      : [],
  );
}

/** Keywords that make it unknown which keys an object can have. */
const OPEN_ENDED = ['$ref', 'allOf', 'anyOf', 'oneOf', 'if', 'additionalProperties', 'patternProperties'];

/** Finds sensitive paths that lead to no value that the schema declares, because they would hide nothing. */
export function sensitiveRules(data: unknown, steps: readonly StepSketch[]): Finding[] {
  const task = isFields(data) ? data : {};
  const declared = [
    { paths: task.sensitive, schema: task.input_schema, key: 'input_schema', path: ['sensitive'] as Path },
    ...steps.map(({ fields, path }) => {
      return {
        paths: fields.sensitive,
        schema: fields.result_schema,
        key: 'result_schema',
        path: [...path, 'sensitive'],
      };
    }),
  ];
  return declared.flatMap(({ paths, schema, key, path }) =>
    (Array.isArray(paths) ? paths : []).flatMap((one: unknown, index): Finding[] => {
      const stray = typeof one === 'string' && SENSITIVE_PATH.test(one) ? strayKey(schema, one.split('.')) : undefined;
      if (!stray) return [];
      const hint = suggester(stray.known)(stray.part) || '; correct it, or remove it';
      const message = `\`${one}\` hides nothing: \`${key}\` has no \`${stray.part}\` there${hint}`;
      return [{ severity: 'warning', code: 'sensitive_unknown', message, path: [...path, index] }];
    }),
  );
}

/** Returns the first key of a path that an object cannot have. */
function strayKey(schema: unknown, parts: readonly string[]): { part: string; known: string[] } | undefined {
  let at = schema;
  for (const part of parts) {
    if (!isFields(at)) return undefined;
    const { items, properties, additionalProperties } = at;
    const isOpen = OPEN_ENDED.some((key) => key in (at as object)) && additionalProperties !== false;
    if (isFields(items) && /^(\*|\d+)$/.test(part)) at = items;
    else if (!isFields(properties) || isOpen || part === '*') return undefined;
    else if (!Object.hasOwn(properties, part)) return { part, known: Object.keys(properties) };
    else at = properties[part];
  }
  return undefined;
}

/** Returns the objects in a list, with their paths. */
function fieldsIn(list: unknown, path: Path): { fields: Record<string, unknown>; path: Path }[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((fields: unknown, index) => (isFields(fields) ? [{ fields, path: [...path, index] }] : []));
}

function overridesOf(data: unknown) {
  const environments = isFields(data) && isFields(data.environments) ? data.environments : {};
  return Object.entries(environments).flatMap(([environment, it]) =>
    fieldsIn(isFields(it) ? it.steps : [], ['environments', environment, 'steps']).map((found) => ({
      environment,
      ...found,
    })),
  );
}

/** Converts a JSON pointer into a value to a path. */
function pointerPath(pointer: string, root: unknown): (string | number)[] {
  const path: (string | number)[] = [];
  let owner = root;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(owner) ? Number(key) : key);
    owner = Array.isArray(owner) ? owner[Number(key)] : isFields(owner) ? owner[key] : undefined;
  }
  return path;
}
