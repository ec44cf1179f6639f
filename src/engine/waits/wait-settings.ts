import type { Fields } from '../../model/json.ts';
import type { ApprovalConfig, SignalConfig } from '../../template/task-template.ts';
import { waitsToJson } from '../../template/waits/convert-waits.ts';

/** Returns the settings that are stored with the wait for a signal. */
export function signalSettings(signal: SignalConfig): Fields {
  const { name, names, count, schema, schemas, onTimeout, default: value } = signal;
  const awaited = names ? { names } : { name };
  return {
    ...awaited,
    count,
    ...(schema && { schema }),
    ...(schemas && { schemas }),
    on_timeout: onTimeout,
    default: value,
  };
}

/** Returns the settings that are stored with the wait for an approval: those of the template file. */
export function approvalSettings(approval: ApprovalConfig): Fields {
  return waitsToJson({ timer: null, signal: null, approval, child: null, wait: null }).approval as Fields;
}
