import type { Fields } from '../../model/json.ts';
import type { ApprovalConfig, SignalConfig } from '../../template/task-template.ts';
import { waitsToJson } from '../../template/waits/convert-waits.ts';

/** Returns the settings that are stored with the wait for a signal. */
export function signalSettings({ name, count, schema, onTimeout, default: value }: SignalConfig): Fields {
  return { name, count, ...(schema && { schema }), on_timeout: onTimeout, default: value };
}

/** Returns the settings that are stored with the wait for an approval: those of the template file. */
export function approvalSettings(approval: ApprovalConfig): Fields {
  return waitsToJson({ timer: null, signal: null, approval, wait: null }).approval as Fields;
}
