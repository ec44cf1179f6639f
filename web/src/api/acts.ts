import { ask, pathOf } from './client.ts';
import type { Rerun } from './types.ts';

/**
 * The reason of an action, and the name for the audit. A server with authentication uses the name of the credential.
 */
export interface Said {
  reason: string;
  by: string;
}

const ofTask = (uuid: string) => pathOf`v1/tasks/${uuid}`;
/** Retries the steps of a task that failed or wait for a retry. */
export function retryTask(uuid: string, said: Said): Promise<unknown> {
  return actOnTask(uuid, 'retry', said);
}

export function cancelTask(uuid: string): Promise<unknown> {
  return ask(ofTask(uuid), { method: 'DELETE' });
}

/** `resolve`, `pause`, `resume`, `start-now`: actions on a task that need only a reason. */
export function actOnTask(uuid: string, act: string, said: Said): Promise<unknown> {
  return ask(`${ofTask(uuid)}/${act}`, { method: 'POST', body: said });
}

/** `retry`, `fire`: actions on a step that need only a reason. */
export function actOnStep(uuid: string, step: string, act: string, said: Said): Promise<unknown> {
  return ask(`${ofTask(uuid)}/${pathOf`workflow_steps/${step}`}/${act}`, { method: 'POST', body: said });
}

/** Sends a signal to a task. */
export function sendSignal(uuid: string, name: string, payload: unknown, { by }: Said): Promise<unknown> {
  return ask(`${ofTask(uuid)}/signals`, { method: 'POST', body: { name, payload, by } });
}

export function resolveStep(uuid: string, step: string, { reason, by }: Said): Promise<unknown> {
  return patchStep(uuid, step, { action_type: 'resolve_manually', reason, resolved_by: by });
}

export function completeStep(uuid: string, step: string, result: unknown, { reason, by }: Said): Promise<unknown> {
  return patchStep(uuid, step, {
    action_type: 'complete_manually',
    completion_data: { result },
    reason,
    completed_by: by,
  });
}

function patchStep(uuid: string, step: string, body: object): Promise<unknown> {
  return ask(pathOf`v1/tasks/${uuid}/workflow_steps/${step}`, { method: 'PATCH', body });
}

/** Runs a step and everything after it again. Without `said`, only returns the steps that would run. */
export function rerunFrom(uuid: string, step: string, said?: Said): Promise<Rerun> {
  const body = { from: step, dry_run: said === undefined, ...said };
  return ask<Rerun>(`${ofTask(uuid)}/rerun`, { method: 'POST', body });
}
