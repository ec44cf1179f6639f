import { isFields } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { type checkForm, type FormIssue, knownKeysAt, type UnknownKey } from './check-form.ts';
import { describeIssue } from './describe-issue.ts';
import { expressionRules } from './expression-rules.ts';
import {
  defaultContextRules,
  environmentRules,
  eventRules,
  retryRules,
  schemaRules,
  sensitiveRules,
} from './field-rules.ts';
import { forEachRules } from './for-each-rules.ts';
import { limitRules } from './limit-rules.ts';
import { locate, pathText, phraseOf } from './locate.ts';
import { ORIGINAL_KEYS } from './original-keys.ts';
import type { ReadYaml } from './read-yaml.ts';
import { routeRules } from './route-rules.ts';
import { type Path, type SpeltTwice, STEP_SPELLINGS, TASK_SPELLINGS } from './spellings.ts';
import { dependencyRules, type Finding, MOST_SUGGESTIONS, nameRules, sketchesOf } from './step-rules.ts';
import { WAIT_FIELDS } from './task-template.ts';
import { typeRules } from './type-rules.ts';
import { undoRules } from './undo-rules.ts';
import { uniqueRules } from './unique-rules.ts';
import { CHILD_FIELDS, waitRules } from './waits/wait-rules.ts';

/** A file's data in its first spelling, and the outcome of checking its form. */
export interface CheckedData {
  data: unknown;
  twice: readonly SpeltTwice[];
  form: ReturnType<typeof checkForm>;
}

/** Returns all errors and warnings of a readable file: of its form, and of the rules that need the whole file. */
export function findingsOf(read: ReadYaml, { data, twice, form }: CheckedData): Finding[] {
  const steps = sketchesOf(data);
  const lineOf = (path: Path) => read.lines.linePos(locate(read, path).place.value).line;
  const unknown = unknownKeyFindings(form.unknownKeys, data);
  const others = [
    ...twice.map((both) => speltTwice(both, read)),
    ...formFindings(form.issues, { data, read }),
    ...nameRules(steps, lineOf),
    ...dependencyRules(steps, (step) => String(locate(read, [...step.path, 'dependencies']).written.at(-1))),
    ...typeRules(steps),
    ...waitRules(data, steps),
    ...routeRules(steps),
    ...undoRules(data, steps),
    ...forEachRules(steps),
    ...environmentRules(data, steps),
    ...retryRules(data, steps),
    ...defaultContextRules(data),
    ...eventRules(steps),
    ...schemaRules(data, steps),
    ...sensitiveRules(data, steps),
    ...expressionRules(data, steps),
    ...limitRules(data, steps),
    ...uniqueRules(data),
  ];
  return [...others.filter((finding) => !isExplained(finding, unknown)), ...unknown.map(({ finding }) => finding)];
}

/** The finding of an unknown key, and the key that it probably misspells. */
interface UnknownKeyFinding {
  finding: Finding;
  near: string | undefined;
}

const WAITS: ReadonlySet<string> = new Set(Object.values(WAIT_FIELDS));

/** Returns whether a finding disappears when a misspelt key is corrected: it says that the key, or a handler, is missing. */
function isExplained({ code, path }: Finding, unknown: readonly UnknownKeyFinding[]): boolean {
  if (code !== 'missing_field' && code !== 'wait_unused') return false;
  const [owner, key] = [pathText(path.slice(0, -1)), String(path.at(-1))];
  return unknown.some(({ finding, near }) => {
    if (near === undefined || finding.severity !== 'error') return false;
    if (pathText(finding.path.slice(0, -1)) !== owner) return false;
    if (code === 'wait_unused') return near === WAIT_FIELDS.task && CHILD_KEYS.has(key);
    return firstSpellingOf(near) === key || (key === 'handler' && WAITS.has(near));
  });
}

function speltTwice({ first, other, path }: SpeltTwice, read: ReadYaml): Finding {
  const lines = [first, other].map((key) => read.lines.linePos(locate(read, [...path, key]).place.key).line);
  const message = `\`${first}\` (line ${lines[0]}) and \`${other}\` (line ${lines[1]}) are the same field; remove one of them`;
  return { severity: 'error', code: 'spelt_twice', message, path: [...path, other], atKey: true };
}

function formFindings(issues: readonly FormIssue[], { data, read }: { data: unknown; read: ReadYaml }): Finding[] {
  const seen = new Set<string>();
  return issues.flatMap((issue): Finding[] => {
    const path = issue.path as Path;
    // Reports only the first issue at each place. The others, such as the pattern of an empty name, add no information.
    const id = pathText(path);
    if (seen.has(id)) return [];
    seen.add(id);
    const { place, written } = locate(read, path);
    const where = phraseOf(written, data);
    const about = describeIssue(issue, { where, key: written.at(-1) ?? '', source: place.source });
    return [{ severity: 'error', ...about, path }];
  });
}

function unknownKeyFindings(unknownKeys: readonly UnknownKey[], data: unknown): UnknownKeyFinding[] {
  const knownOf = new Map<string, readonly string[]>();
  return unknownKeys.map((unknown, at) => {
    const { path, key } = unknown;
    const kind = pathText(path).replace(/\d+/g, '0');
    const known = knownOf.get(kind) ?? knownKeysAt(path);
    knownOf.set(kind, known);
    const where = path.length === 0 ? 'the template' : phraseOf(path, data);
    const usable = startsChild(path, data) ? known : known.filter((each) => !CHILD_KEYS.has(each));
    const near = at < MOST_SUGGESTIONS ? nearKey(key, usable) : undefined;
    const message = `unknown key \`${key}\` in ${where}${near === undefined ? '; it is ignored' : `; did you mean \`${near}\`?`}`;
    const severity = near !== undefined && isMisspelt(unknown, near, data) ? 'error' : 'warning';
    return { finding: { severity, code: 'unknown_key', message, path: [...path, key], atKey: true }, near };
  });
}

const CHILD_KEYS: ReadonlySet<string> = new Set([WAIT_FIELDS.task, ...Object.keys(CHILD_FIELDS)]);

/** Steps with a handler or another type cannot have these fields, so they are not suggested there. */
function startsChild(path: Path, data: unknown): boolean {
  if (path.length !== 2 || path[0] !== 'steps') return true;
  const steps = isFields(data) && Array.isArray(data.steps) ? (data.steps as unknown[]) : [];
  const step = steps[Number(path[1])];
  if (!isFields(step)) return false;
  return step.type === 'task' || (step.template ?? null) !== null || (step.handler ?? step.type ?? null) === null;
}

/** Returns the known key that a key is probably a misspelling of. A plural is compared as its singular, too. */
function nearKey(key: string, known: readonly string[]): string | undefined {
  const singular = key.replace(/ies$/, 'y').replace(/s$/, '');
  if (singular !== key && known.includes(singular)) return singular;
  return nearNames(key, known, 1)[0] ?? nearNames(singular, known, 1)[0];
}

/**
 * Returns whether a key that is ignored would change the meaning of the template. If the known key is beside it, the
 * template has the setting, except for `sensitive`, whose values would be shown.
 */
function isMisspelt({ path, key }: UnknownKey, near: string, data: unknown): boolean {
  if (near === 'sensitive') return true;
  if (key.startsWith('x-') || ORIGINAL_KEYS.has(key)) return false;
  const owner = path.reduce<unknown>((value, part) => (value as Record<string | number, unknown>)[part], data);
  return !(isFields(owner) && Object.hasOwn(owner, firstSpellingOf(near)));
}

function firstSpellingOf(key: string): string {
  return [...TASK_SPELLINGS, ...STEP_SPELLINGS].find(({ other }) => other === key)?.first ?? key;
}
