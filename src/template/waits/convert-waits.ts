import { durationMs, durationText } from '../../model/duration.ts';
import type {
  ApprovalConfig,
  CallAgainConfig,
  ChildConfig,
  JsonValue,
  SignalConfig,
  StepTemplate,
  TimerConfig,
} from '../task-template.ts';
import type { ChildFields, WaitFields } from './wait-file.ts';

const DAY_MS = 86_400_000;
const ms = (value: unknown) => (value === null || value === undefined ? null : durationMs(value)!);
const text = (value: number | null) => (value === null ? null : durationText(value));

type WaitConfigs = Pick<StepTemplate, 'timer' | 'signal' | 'approval' | 'child' | 'wait'>;

/** Returns the settings of a step that waits, with defaults. */
export function waitsOf({ timer, signal, approval, wait, ...child }: WaitFields): WaitConfigs {
  return {
    timer: timer ? timerOf(timer) : null,
    signal: signal ? signalOf(signal) : null,
    approval: approval ? approvalOf(approval) : null,
    child: childOf(child),
    wait: wait ? callAgainOf(wait) : null,
  };
}

function timerOf(file: NonNullable<WaitFields['timer']>): TimerConfig {
  const { context, step, field } = file.until ?? {};
  if (context) return { forMs: null, until: { context } };
  return { forMs: ms(file.for), until: step && field ? { step, field } : null };
}

function signalOf(file: NonNullable<WaitFields['signal']>): SignalConfig {
  return {
    name: file.name ?? null,
    names: file.names ?? null,
    schema: file.schema ?? null,
    schemas: file.schemas ?? null,
    timeoutMs: ms(file.timeout),
    onTimeout: file.on_timeout ?? 'fail',
    default: (file.default ?? null) as JsonValue,
    count: file.count ?? 1,
    onUnknown: file.on_unknown ?? 'refuse',
  };
}

function approvalOf(file: NonNullable<WaitFields['approval']>): ApprovalConfig {
  return {
    title: file.title,
    form: file.form ?? null,
    assignees: file.assignees ?? [],
    quorum: file.quorum ?? 1,
    rejectQuorum: file.reject_quorum ?? 1,
    onReject: file.on_reject ?? 'complete',
    remindAfterMs: ms(file.remind_after),
    escalateAfterMs: ms(file.escalate_after),
    escalateTo: file.escalate_to ?? [],
    timeoutMs: ms(file.timeout),
  };
}

function childOf({ template, context, on_failure, on_cancel, timeout }: ChildFields): ChildConfig | null {
  if (template === null || template === undefined) return null;
  return {
    template,
    context: expressionsOf(context),
    onFailure: on_failure ?? 'fail',
    onCancel: on_cancel ?? 'cancel',
    timeoutMs: ms(timeout),
  };
}

/** Returns expressions by name as text. In a file, a number or a boolean is an expression, too. */
export function expressionsOf(file: ChildFields['context']): Record<string, string> | null {
  return file ? Object.fromEntries(Object.entries(file).map(([name, text]) => [name, String(text)])) : null;
}

function callAgainOf(file: NonNullable<WaitFields['wait']>): CallAgainConfig {
  return {
    timeoutMs: ms(file.timeout) ?? DAY_MS,
    maxCalls: file.max_calls ?? null,
    repeatable: file.repeatable ?? false,
  };
}

/** Returns the settings in the form of a template file. Fields that are null are omitted. */
export function waitsToJson({ timer, signal, approval, child, wait }: WaitConfigs): Record<string, unknown> {
  return {
    timer: timer && present({ for: text(timer.forMs), until: timer.until }),
    signal:
      signal &&
      present({
        name: signal.name,
        names: signal.names,
        schema: signal.schema,
        schemas: signal.schemas,
        timeout: text(signal.timeoutMs),
        on_timeout: signal.onTimeout,
        default: signal.default,
        count: signal.count,
        on_unknown: signal.onUnknown,
      }),
    approval:
      approval &&
      present({
        title: approval.title,
        form: approval.form,
        assignees: someOf(approval.assignees),
        quorum: approval.quorum,
        reject_quorum: approval.rejectQuorum,
        on_reject: approval.onReject,
        remind_after: text(approval.remindAfterMs),
        escalate_after: text(approval.escalateAfterMs),
        escalate_to: someOf(approval.escalateTo),
        timeout: text(approval.timeoutMs),
      }),
    template: child?.template,
    context: child?.context,
    onFailure: child?.onFailure,
    onCancel: child?.onCancel,
    timeout: child && text(child.timeoutMs),
    wait: wait && present({ timeout: text(wait.timeoutMs), max_calls: wait.maxCalls, repeatable: wait.repeatable }),
  };
}

const someOf = (list: readonly string[]) => (list.length > 0 ? list : null);

function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
