import { sentJson } from '../../app/json/acts.ts';
import type { SignalReceipt, SignalTarget } from '../../app/operator-types.ts';
import { TaskerError } from '../../errors.ts';
import { operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { readInput } from '../read-input.ts';
import { note, printJson } from '../show/output.ts';
import { withTasker } from '../with-tasker.ts';

interface SendOptions extends GlobalOptions {
  payload?: string;
  key?: string;
  by?: string;
  correlation?: boolean;
  template?: string;
}

/** `tasker signal send`: sends a signal. */
export async function signalSend(task: string, name: string, options: SendOptions): Promise<void> {
  const target = targetOf(task, options);
  const payload = options.payload === undefined ? null : await readInput(options.payload, '--payload');
  await withTasker(options, {}, async (tasker) => {
    const by = operatorFrom(options).actor;
    const sent = await tasker.signal(target, name, payload, { by, idempotencyKey: options.key });
    if (options.json) return printJson(sentJson(sent));
    for (const receipt of sent.tasks) note(receiptText(name, receipt));
    note(`signal ${sent.signalId}`);
  });
}

function targetOf(task: string, { correlation, template }: SendOptions): SignalTarget {
  if (correlation && template !== undefined) {
    throw new TaskerError('bad_request', '--correlation and --template cannot be combined');
  }
  if (correlation) return { correlationId: task };
  if (template === undefined) return task;
  const [, namespace, name, version] = /^(?:([^/@]+)\/)?([^/@]+)(?:@(.+))?$/.exec(template) ?? [];
  if (name === undefined) {
    throw new TaskerError(
      'bad_request',
      `--template ${template} is not a template; write namespace/name or namespace/name@version`,
    );
  }
  return { namespace, name, version, idempotencyKey: task };
}

function receiptText(name: string, { taskUuid, status, step, duplicate }: SignalReceipt): string {
  if (duplicate) return `${taskUuid}: a signal with this key already exists; ${stateText(status, step)}`;
  if (status === 'used') return `${taskUuid}: step ${step} used ${name}`;
  if (status === 'held') return `${taskUuid}: step ${step} received ${name}, and waits for more`;
  return `${taskUuid}: kept until a step waits for ${name}`;
}

/** Describes where a signal is. */
export function stateText(status: SignalReceipt['status'], step: string | null): string {
  if (status === 'used') return `used by ${step}`;
  return status === 'held' ? `held by ${step}` : 'kept';
}
