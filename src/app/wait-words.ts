import type { Step, StepWait, Task } from '../engine/task-view.ts';
import { counted } from '../model/counted.ts';
import { type AwaitedSignals, payloadSchema, signalNames } from '../model/signal-names.ts';
import { spanOf, timeLeft } from '../model/span.ts';
import { compileStored } from '../template/json-schema-check.ts';
import type { JsonSchema, StepTemplate } from '../template/task-template.ts';
import { exampleValue } from '../template/tools/example-value.ts';

export { counted, spanOf, timeLeft };

/** Describes what a step waits for, in a few words: `signal payment_received`, `3 signals item (2 received)`. */
export function waitedFor({ kind, calls, settings, progress }: StepWait): string {
  switch (kind) {
    case 'timer':
      return typeof settings.due === 'string' ? `its time (${settings.due})` : 'its time';
    case 'signal': {
      const [name, count] = [namesOf(settings).join(' or '), numberOf(settings.count, 1)];
      if (count <= 1) return `signal ${name}`;
      return `${count} signals ${name} (${numberOf(progress.signals, 0)} received)`;
    }
    case 'approval':
      return `the approval "${textOf(settings.title)}"`;
    case 'task':
      return `${settings['undo'] === true ? 'the undo of ' : ''}child task ${textOf(settings.task_uuid)} (${textOf(settings.namespace)}/${textOf(settings.name)})`;
    case 'tasks':
      return counted(Array.isArray(settings.task_uuids) ? settings.task_uuids.length : 0, 'child task');
    case 'completion':
      return 'its completion by another system';
    case 'call':
      return `its next call (${calls} so far)`;
  }
}

/** Maximum length of an example for a payload or a form, in characters. Longer examples are not printed. */
const LONGEST_EXAMPLE = 300;

/** Returns the schema of what ends the wait of a step: of its signal's payload, or of its approval's form. */
export function schemaOfWait({ signal, approval }: Pick<StepTemplate, 'signal' | 'approval'>): JsonSchema | null {
  return signal?.schema ?? approval?.form ?? null;
}

/**
 * Explains the wait of a step in a sentence: what it waits for, since when, until when, and how an operator can end it.
 * `schema`: the schema of the signal's payload, or of the approval's form.
 */
export function explainWait(
  step: Step,
  wait: StepWait,
  { now, hasWorkers, schema }: { now: number; hasWorkers: boolean; schema: JsonSchema | null },
): string {
  const since = spanOf(now - Date.parse(wait.since));
  const parts = [`has waited ${since} for ${waitedFor(wait)}${endOf(wait, now)}`];
  if (wait.kind === 'approval') parts.push(peopleOf(wait));
  if (isOverdue(wait, now) && !hasWorkers) parts.push('no running worker serves its namespace: start one');
  parts.push(wayOut(step, wait, schema));
  return parts.join('; ');
}

/** Explains that a task waits for its start. */
export function explainStart({ taskUuid, startsAt }: Pick<Task, 'taskUuid' | 'startsAt'>, now: number): string {
  const begin = `\`tasker task start-now ${taskUuid}\``;
  if (startsAt === null) return `waits for its start; start it: ${begin}`;
  const ms = Date.parse(startsAt) - now;
  if (ms <= 0) return `was due to start ${spanOf(-ms)} ago, at ${startsAt}; a running worker starts it, or ${begin}`;
  return `starts in ${timeLeft(ms)}, at ${startsAt.slice(0, 19)}Z; start it now: ${begin}`;
}

/** Describes a wait in a few words: `signal payment_received for 2 h, times out in 6 d`. */
export function shortWait(wait: StepWait, now: number): string {
  return `${waitedFor(wait)} for ${spanOf(now - Date.parse(wait.since))}${endOf(wait, now)}`;
}

/**
 * Describes the wait of a step and how an operator can end it, in a clause:
 * ``sign_off waits for the approval "Sign off", without a timeout (vote: `tasker approval approve …`)``.
 */
export function waitWithWayOut(
  step: Step,
  wait: StepWait,
  { now, schema }: { now: number; schema: JsonSchema | null },
): string {
  return `${step.name} waits for ${waitedFor(wait)}${endOf(wait, now)} (${wayOut(step, wait, schema)})`;
}

function endOf({ kind, until, dueAt, settings }: StepWait, now: number): string {
  if (kind === 'call') {
    const next = dueAt === null ? '' : `, called again ${when(dueAt, now)}`;
    return until === null || until === dueAt ? next : `${next}, fails ${when(until, now)}`;
  }
  if (until === null) return ', without a timeout';
  if (kind === 'timer') return `, due ${when(until, now)}`;
  if (settings.on_timeout === 'complete') return `, completes with its default ${when(until, now)}`;
  return `, times out ${when(until, now)}`;
}

function when(time: string, now: number): string {
  const ms = Date.parse(time) - now;
  return ms > 0 ? `in ${timeLeft(ms)}` : `now, ${spanOf(-ms)} late`;
}

function isOverdue({ until, dueAt }: StepWait, now: number): boolean {
  return [until, dueAt].some((time) => time !== null && Date.parse(time) <= now);
}

function assigneesOf({ settings, progress }: StepWait): string[] {
  const asked = Array.isArray(progress.assignees) ? progress.assignees : settings.assignees;
  return Array.isArray(asked) ? asked.map(textOf) : [];
}

function peopleOf(wait: StepWait): string {
  const quorum = numberOf(wait.settings.quorum, 1);
  const asked = assigneesOf(wait);
  const people = asked.length > 0 ? ` of ${listOf(asked)}` : '';
  return `needs ${quorum === 1 ? 'the approval' : `${quorum} approvals`}${people === '' ? ' of anyone' : people}`;
}

/** Returns what ends the wait, with its command. */
function wayOut({ taskUuid, name }: Step, wait: StepWait, schema: JsonSchema | null): string {
  const step = `${taskUuid} ${quoted(name)}`;
  switch (wait.kind) {
    case 'timer':
      return `fire it now: \`tasker timer fire ${step}\``;
    case 'signal':
      return namesOf(wait.settings).length === 1
        ? `send it: ${sendText(taskUuid, namesOf(wait.settings)[0]!, schema)}`
        : `send one of them: ${sendTexts(taskUuid, wait.settings)}`;
    case 'approval': {
      const vote = `vote: \`tasker approval approve ${step} --by NAME`;
      const form = valueOption('--form', schema, {});
      // Nothing distinguishes roles from users.
      if (assigneesOf(wait).length > 0) return `${vote} --role ROLE${form}\`, where NAME or ROLE is an assignee`;
      return `${vote}${form}\``;
    }
    case 'task':
      return `see its state: \`tasker task why ${textOf(wait.settings.task_uuid)}\``;
    case 'tasks':
      return `list them: \`tasker task list --parent-task ${taskUuid}\``;
    case 'completion':
      return `its token completes it; complete it by hand: \`tasker step complete ${step}\``;
    case 'call':
      return `complete it by hand: \`tasker step complete ${step}\``;
  }
}

function namesOf(settings: StepWait['settings']): readonly string[] {
  const names = signalNames(settings);
  return names.length > 0 ? names : ['?'];
}

function sendText(taskUuid: string, name: string, schema: JsonSchema | null): string {
  return `\`tasker signal send ${taskUuid} ${quoted(name)}${valueOption('--payload', schema, null)}\``;
}

/** Returns the commands that send the first three of several signals. */
function sendTexts(taskUuid: string, settings: StepWait['settings']): string {
  const awaited: AwaitedSignals<JsonSchema> = settings;
  const names = namesOf(settings).slice(0, 3);
  return names.map((name) => sendText(taskUuid, name, payloadSchema(awaited, name))).join(' or ');
}

/**
 * Returns an option with an example that matches the schema, or with `JSON` if no example is known. Empty if the schema
 * accepts a missing value.
 */
function valueOption(option: string, schema: JsonSchema | null, missing: unknown): string {
  if (schema === null) return '';
  const check = compileStored(schema);
  if (check(missing).length === 0) return '';
  const example = exampleValue(schema);
  const json = JSON.stringify(example);
  return ` ${option} ${json.length <= LONGEST_EXAMPLE && check(example).length === 0 ? quoted(json) : 'JSON'}`;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '?';
}

function numberOf(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

function listOf(names: readonly string[]): string {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}
