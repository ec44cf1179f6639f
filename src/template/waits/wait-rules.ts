import { durationMs } from '../../model/duration.ts';
import { type Fields, isFields } from '../../model/json.ts';
import { compileSchema } from '../json-schema-check.ts';
import { phraseOf } from '../locate.ts';
import type { Path } from '../spellings.ts';
import { type Finding, type StepSketch, suggester } from '../step-rules.ts';
import { STEP_TYPES, WAIT_CALLABLES, WAIT_FIELDS } from '../task-template.ts';

type WaitType = keyof typeof WAIT_CALLABLES;
const WAIT_TYPES = Object.keys(WAIT_CALLABLES) as WaitType[];

/** Examples of the settings of steps that wait, for messages. */
const EXAMPLES: Readonly<Record<WaitType, string>> = {
  timer: 'timer: {for: 3d}',
  signal: 'signal: {name: payment_received}',
  approval: 'approval: {title: …}',
  task: 'template: NAMESPACE/NAME',
  fail: 'message: …',
  for_each: 'elements: steps.STEP.LIST',
};

/** The effects of steps of the types that do not just wait, as verbs. */
const DOING: Partial<Record<WaitType, string>> = {
  task: 'starts a child task',
  fail: 'ends its task',
  for_each: 'runs its steps for each element',
};
const doing = (type: WaitType): string => DOING[type] ?? 'waits';
/** The fields of a step of the type `task`, and the field of other steps that may be meant. */
export const CHILD_FIELDS = {
  context: 'inputs',
  on_failure: undefined,
  on_cancel: undefined,
  timeout: 'timeout_seconds',
} as const;

/** Checks that steps have a handler or settings of their wait, and checks these settings. */
export function waitRules(data: unknown, steps: readonly StepSketch[]): Finding[] {
  const parents = new Map(steps.map(({ name, dependencies }) => [name, dependencies.map((parent) => parent.name)]));
  const types = new Map(steps.map(({ name, type }) => [name, type]));
  const suggest = suggester(types.keys());
  return [
    ...steps.flatMap((step) => [
      ...handlerRules(step, data),
      ...unusedRules(step),
      ...timerRules(step, { parents, types, suggest }),
      ...signalRules(step),
      ...signalNameRules(step, data),
      ...approvalRules(step),
      ...childRules(step),
    ]),
    ...sharedSignalRules(steps),
    ...overrideRules(data, types),
  ];
}

function waitTypeOf({ type }: StepSketch): WaitType | undefined {
  return WAIT_TYPES.find((each) => each === type);
}

/** Returns whether the field has a value in the file. An empty field is treated as missing. */
const given = (fields: Fields, key: string) => (fields[key] ?? null) !== null;

const error = (code: string, message: string, path: Path): Finding => ({ severity: 'error', code, message, path });
const atKey = (finding: Finding): Finding => ({ ...finding, atKey: true });
const warning = (code: string, message: string, path: Path): Finding => ({ severity: 'warning', code, message, path });

/** Checks that a step has a handler or, if it waits, the settings of its wait. */
function handlerRules(step: StepSketch, data: unknown): Finding[] {
  const { type, name, path, fields } = step;
  const kind = waitTypeOf(step);
  const findings: Finding[] = [];
  const isKnown = (STEP_TYPES as readonly string[]).includes(type);
  // If the step has the settings of a wait, probably only its type is missing or misspelt.
  const mayWait = (!isKnown || !given(fields, 'type')) && WAIT_TYPES.some((other) => given(fields, WAIT_FIELDS[other]));
  if (kind === undefined && !given(fields, 'handler') && !mayWait) {
    const where = phraseOf([...path, 'handler'], data);
    findings.push(error('missing_field', `${where} is missing; add \`handler: …\``, [...path, 'handler']));
  }
  if (kind !== undefined && !given(fields, WAIT_FIELDS[kind])) {
    const at = [...path, WAIT_FIELDS[kind]];
    const where = phraseOf(at, data);
    findings.push(error('missing_field', `${where} is missing; add \`${EXAMPLES[kind]}\``, at));
  }
  if (kind !== undefined && given(fields, 'handler')) {
    const message = `${kind} step \`${name}\` has a handler, but ${doing(kind)} instead of calling one; remove it, or remove \`type: ${kind}\``;
    findings.push(atKey(error('handler_unused', message, [...path, 'handler'])));
  }
  if (!isKnown) return findings;
  for (const other of WAIT_TYPES) {
    const field = WAIT_FIELDS[other];
    if (other === kind || !given(fields, field)) continue;
    const message = `\`${field}\` of \`${name}\` has no effect on a ${type} step; write \`type: ${other}\`, or remove it`;
    findings.push(atKey(error('wait_unused', message, [...path, field])));
  }
  return findings;
}

/** The reason why each field has no effect on a step that waits. */
const UNUSED: Readonly<Record<string, string>> = {
  retry: 'it has no attempts to retry',
  timeout_seconds: 'the limit of a wait is its `timeout`',
  result_schema: 'its result is not checked',
};

/** Finds fields that need a handler, on steps that have none. */
function unusedRules(step: StepSketch): Finding[] {
  const { name, path, fields } = step;
  const kind = waitTypeOf(step);
  if (kind === undefined) return [];
  const findings = Object.entries(UNUSED).flatMap(([key, why]) => {
    if (!given(fields, key)) return [];
    const way = key === 'result_schema' && kind === 'signal' ? 'write `signal.schema`' : 'remove it';
    const because = key === 'timeout_seconds' && kind === 'timer' ? 'it ends at its time' : why;
    const message = `\`${key}\` of \`${name}\` has no effect on a ${kind} step: ${because}; ${way}`;
    return [atKey(warning('no_effect', message, [...path, key]))];
  });
  if (given(fields, 'wait')) {
    const message = `\`wait\` of \`${name}\` has no effect on a ${kind} step: it limits handlers that ask to be called again; remove it`;
    findings.push(atKey(error('wait_unused', message, [...path, 'wait'])));
  }
  if (Array.isArray(fields.publishes_events) && fields.publishes_events.length > 0) {
    const message = `${kind} step \`${name}\` cannot publish events, because it has no handler; let the step after it publish them`;
    findings.push(atKey(error('events_unpublished', message, [...path, 'publishes_events'])));
  }
  return findings;
}

interface Graph {
  parents: ReadonlyMap<string, readonly string[]>;
  types: ReadonlyMap<string, string>;
  suggest(wanted: string): string;
}

function timerRules({ name, path, fields }: StepSketch, graph: Graph): Finding[] {
  const { timer } = fields;
  if (!isFields(timer)) return [];
  const at = [...path, 'timer'];
  const both = given(timer, 'for') && given(timer, 'until');
  if (both || (!given(timer, 'for') && !given(timer, 'until'))) {
    const message = both
      ? `\`timer\` of \`${name}\` has both \`for\` and \`until\`; remove one of them`
      : `\`timer\` of \`${name}\` has no time; add \`for: 3d\`, \`until: {context: KEY}\` or \`until: {step: STEP, field: FIELD}\``;
    return [error('timer_time', message, both ? [...at, 'until'] : at)];
  }
  return isFields(timer.until) ? untilRules({ name, until: timer.until, path: [...at, 'until'] }, graph) : [];
}

function untilRules(
  { name, until, path }: { name: string; until: Fields; path: Path },
  { parents, types, suggest }: Graph,
): Finding[] {
  const inContext = given(until, 'context');
  const inResult = given(until, 'step') && given(until, 'field');
  if (inContext ? given(until, 'step') || given(until, 'field') : !inResult) {
    const message = `\`timer.until\` of \`${name}\` must have either \`context\`, or \`step\` and \`field\``;
    return [error('timer_time', message, path)];
  }
  const step = until.step;
  if (inContext || typeof step !== 'string') return [];
  const at = [...path, 'step'];
  if (step === name)
    return [error('self_dependency', `timer \`${name}\` waits for a time in its own result; name an earlier step`, at)];
  if (!types.has(step))
    return [error('unknown_step', `unknown step \`${step}\` in timer of \`${name}\`${suggest(step)}`, at)];
  if (types.get(step) === 'batch_worker') {
    const message = `\`${step}\` in timer of \`${name}\` is a batch_worker with one result for each worker; name the step that joins them`;
    return [error('until_batch_worker', message, at)];
  }
  if (isAbove(step, name, parents)) return [];
  const message = `timer \`${name}\` reads the result of \`${step}\`, but does not depend on it; add it to \`depends_on\``;
  return [error('until_not_before', message, at)];
}

/** Returns whether a step is a direct or indirect dependency of another. */
function isAbove(step: string, below: string, parents: Graph['parents']): boolean {
  const seen = new Set<string>([below]);
  for (const each of seen) for (const parent of parents.get(each) ?? []) seen.add(parent);
  return step !== below && seen.has(step);
}

function signalRules({ name, path, fields }: StepSketch): Finding[] {
  const { signal } = fields;
  if (!isFields(signal)) return [];
  const at = [...path, 'signal'];
  const findings: Finding[] = [];
  const completes = signal.on_timeout === 'complete';
  if (completes && !given(signal, 'default')) {
    const message = `\`signal\` of \`${name}\` completes at its timeout, but has no result then; add \`default\`, or write \`on_timeout: fail\``;
    findings.push(error('default_missing', message, [...at, 'on_timeout']));
  }
  if (given(signal, 'on_timeout') && !given(signal, 'timeout')) {
    const message = `\`on_timeout\` of \`${name}\` has no effect without \`timeout\`; add one`;
    findings.push(atKey(warning('no_effect', message, [...at, 'on_timeout'])));
  }
  if (!completes && given(signal, 'default')) {
    const message = `\`default\` of \`${name}\` has no effect unless the step completes at its timeout; write \`on_timeout: complete\``;
    findings.push(atKey(warning('no_effect', message, [...at, 'default'])));
  }
  return [...findings, ...defaultFindings(name, signal, at)];
}

/** Checks that a step names its signals, in one way, and that each schema belongs to one of them. */
function signalNameRules({ name, path, fields }: StepSketch, data: unknown): Finding[] {
  const { signal } = fields;
  if (!isFields(signal)) return [];
  const at = [...path, 'signal'];
  if (!given(signal, 'names')) {
    const findings: Finding[] = [];
    if (!given(signal, 'name')) {
      const message = `${phraseOf([...at, 'name'], data)} is missing; add \`name: …\``;
      findings.push(error('missing_field', message, [...at, 'name']));
    }
    if (given(signal, 'schemas')) {
      const message = `\`schemas\` of \`${name}\` needs \`names\`; write \`schema\` for a single signal`;
      findings.push(atKey(error('signal_names', message, [...at, 'schemas'])));
    }
    return findings;
  }
  return [...severalRules(name, signal, at), ...hiddenRules(name, fields.sensitive, [...path, 'sensitive'])];
}

/** Checks a step that waits for the first of several signals. */
function severalRules(step: string, signal: Fields, at: Path): Finding[] {
  const refused = {
    name: given(signal, 'name') && `\`signal\` of \`${step}\` has both \`name\` and \`names\`; remove one of them`,
    schema: given(signal, 'schema') && `\`schema\` of \`${step}\` is for a single signal; write \`schemas: {NAME: …}\``,
    count:
      Number(signal.count ?? 1) > 1 &&
      `\`count\` of \`${step}\` must be 1, because the first of its signals completes the step; remove \`count\`, or use \`name\` instead of \`names\``,
  };
  const findings = Object.entries(refused).flatMap(([key, message]) =>
    message ? [atKey(error('signal_names', message, [...at, key]))] : [],
  );
  const names: unknown[] = Array.isArray(signal.names) ? signal.names : [];
  const suggest = suggester(names.filter((each) => typeof each === 'string'));
  for (const [index, each] of names.entries()) {
    if (names.indexOf(each) === index) continue;
    const message = `\`${String(each)}\` is in \`names\` of \`${step}\` twice; remove one`;
    findings.push(warning('duplicate_signal', message, [...at, 'names', index]));
  }
  for (const key of Object.keys(isFields(signal.schemas) ? signal.schemas : {})) {
    if (names.includes(key)) continue;
    const message = `\`${key}\` in \`schemas\` of \`${step}\` is not one of its \`names\`${suggest(key)}`;
    findings.push(atKey(error('signal_names', message, [...at, 'schemas', key])));
  }
  return findings;
}

/** Checks the default against the schema, as the steps after it expect. With a count, each entry of a list is checked. */
function defaultFindings(name: string, signal: Fields, at: Path): Finding[] {
  if (!given(signal, 'default') || !isFields(signal.schema)) return [];
  const isList = Number(signal.count ?? 1) > 1 && Array.isArray(signal.default);
  const entries = isList ? (signal.default as unknown[]) : [signal.default];
  const violations = entries.flatMap((entry, index) => {
    const [violation] = violationsOf(signal.schema as Fields, entry);
    return violation ? [{ ...violation, index }] : [];
  });
  return violations.slice(0, 1).map(({ path, message, index }) => {
    const place = `${isList ? `/${index}` : ''}${path}`;
    const what = `\`default\` of \`${name}\` does not match \`schema\`: ${place === '' ? '' : `at ${place} `}${message}`;
    return error('default_invalid', what, [...at, 'default', ...(isList ? [index] : [])]);
  });
}

/** Returns the violations of a schema. Empty for an invalid schema, which another rule reports. */
function violationsOf(schema: Fields, value: unknown) {
  try {
    return compileSchema(schema)(value);
  } catch {
    return [];
  }
}

function approvalRules({ name, path, fields }: StepSketch): Finding[] {
  const { approval } = fields;
  if (!isFields(approval)) return [];
  const at = [...path, 'approval'];
  const findings: Finding[] = [];
  const hasOthers = Array.isArray(approval.escalate_to) && approval.escalate_to.length > 0;
  if (hasOthers && !given(approval, 'escalate_after')) {
    const message = `\`escalate_to\` of \`${name}\` has no effect without \`escalate_after\`; add it, for example \`escalate_after: 3d\``;
    findings.push(atKey(error('escalation_time', message, [...at, 'escalate_to'])));
  }
  for (const key of ['remind_after', 'escalate_after'] as const) {
    const [after, limit] = [durationMs(approval[key]), durationMs(approval.timeout)];
    if (after === undefined || limit === undefined || after < limit) continue;
    const message = `\`${key}\` of \`${name}\` has no effect, because it is not shorter than \`timeout\`; shorten it`;
    findings.push(warning('no_effect', message, [...at, key]));
  }
  return [...findings, ...assigneeFindings(name, approval, at)];
}

/** Finds fields of a child task on steps that do not start one. */
function childRules({ type, name, path, fields }: StepSketch): Finding[] {
  // With `template`, another rule asks for the type.
  if (type === 'task' || given(fields, 'template')) return [];
  return Object.entries(CHILD_FIELDS).flatMap(([key, meant]) => {
    if (!given(fields, key)) return [];
    const own = key === 'timeout' && (type === 'signal' || type === 'approval');
    const other = meant && !Object.hasOwn(WAIT_CALLABLES, type) ? `did you mean \`${meant}\`?` : 'remove it';
    const way = own ? `write \`${type}: {timeout: …}\`` : other;
    const message = `\`${key}\` of \`${name}\` has no effect on a ${type} step, because only steps of the type task have it; ${way}`;
    return [atKey(error('wait_unused', message, [...path, key]))];
  });
}

function assigneeFindings(
  name: string,
  { assignees, escalate_to, quorum, reject_quorum }: Fields,
  at: Path,
): Finding[] {
  if (!Array.isArray(assignees) || assignees.length === 0) return [];
  const findings: Finding[] = [];
  const people = new Set(assignees);
  for (const [index, person] of assignees.entries()) {
    if (assignees.indexOf(person) === index) continue;
    const message = `\`${String(person)}\` is in \`assignees\` of \`${name}\` twice; remove one`;
    findings.push(warning('duplicate_assignee', message, [...at, 'assignees', index]));
  }
  for (const person of Array.isArray(escalate_to) ? escalate_to : []) people.add(person);
  for (const [key, wanted] of Object.entries({ quorum, reject_quorum })) {
    if (typeof wanted !== 'number' || wanted <= people.size) continue;
    const message = `\`${key}\` ${wanted} of \`${name}\` is more than its ${counted(people.size)}; this works only if one of them is a role with several people`;
    findings.push(warning('quorum_high', message, [...at, key]));
  }
  return findings;
}

const counted = (count: number) => `${count} ${count === 1 ? 'assignee' : 'assignees'}`;

/** Checks that steps that wait for the same signal agree on it, because a signal may be sent before either waits. */
function sharedSignalRules(steps: readonly StepSketch[]): Finding[] {
  const first = new Map<string, { step: string; signal: Fields }>();
  return steps.flatMap(({ name: step, path, fields }): Finding[] => {
    const { signal } = fields;
    if (!isFields(signal)) return [];
    const names = Array.isArray(signal.names) ? signal.names : [signal.name];
    return names.flatMap((name: unknown): Finding[] => {
      if (typeof name !== 'string') return [];
      const before = first.get(name);
      if (!before) {
        first.set(name, { step, signal });
        return [];
      }
      if (before.step === step) return [];
      return (['schema', 'on_unknown'] as const).flatMap((key) => {
        if (JSON.stringify(agreedOn(signal, key, name)) === JSON.stringify(agreedOn(before.signal, key, name)))
          return [];
        const message = `steps \`${before.step}\` and \`${step}\` wait for signal \`${name}\` with different \`${key}\`; use the same value in both, or different signal names`;
        const at = given(signal, 'names')
          ? key === 'schema' && given(signal, 'schemas')
            ? 'schemas'
            : 'names'
          : 'name';
        return [error('signal_differs', message, [...path, 'signal', given(signal, key) ? key : at])];
      });
    });
  });
}

/** A sensitive path must begin in the result `{ name, payload }`, or it would hide nothing. */
function hiddenRules(step: string, paths: unknown, at: Path): Finding[] {
  return (Array.isArray(paths) ? paths : []).flatMap((one: unknown, index) => {
    if (typeof one !== 'string' || /^(name|payload|\*)(\.|$)/.test(one)) return [];
    const message = `\`${one}\` hides nothing, because the result of \`${step}\` is { name, payload }; write \`payload.${one}\``;
    return [error('sensitive_unknown', message, [...at, index])];
  });
}

/** Returns the setting on which steps that wait for a signal must agree. */
function agreedOn(signal: Fields, key: 'schema' | 'on_unknown', name: string): unknown {
  if (key === 'on_unknown' || !Array.isArray(signal.names)) return signal[key] ?? null;
  return isFields(signal.schemas) ? (signal.schemas[name] ?? null) : null;
}

/** Finds overrides of steps that have no handler. */
function overrideRules(data: unknown, types: ReadonlyMap<string, string>): Finding[] {
  const environments = isFields(data) && isFields(data.environments) ? data.environments : {};
  return Object.entries(environments).flatMap(([environment, it]) => {
    const overrides: unknown[] = isFields(it) && Array.isArray(it.steps) ? it.steps : [];
    return overrides.flatMap((override, index) => {
      if (!isFields(override) || typeof override.name !== 'string') return [];
      const kind = WAIT_TYPES.find((type) => type === types.get(override.name as string));
      if (kind === undefined) return [];
      return ['handler', 'timeout_seconds', 'retry'].flatMap((key) => {
        if (!given(override, key)) return [];
        const message = `\`${key}\` in environment \`${environment}\` has no effect on the ${kind} step \`${override.name}\`; remove it`;
        return [atKey(warning('no_effect', message, ['environments', environment, 'steps', index, key]))];
      });
    });
  });
}
