import { ask, pathOf } from './client.ts';
import type { Routes } from './routes.ts';
import type { StepDetail } from './types.ts';

/** The reason of an act, and the name for the audit. A server with authentication uses the name of the credential. */
export interface Said {
  reason: string;
  by: string;
}

const ofTask = (uuid: string) => pathOf`v1/tasks/${uuid}`;
const RETRY = 'POST /v1/tasks/{uuid}/retry';

/** Retries the failed steps of a task. */
export async function retryTask(routes: Routes, uuid: string, said: Said): Promise<void> {
  if (routes.has(RETRY)) {
    await ask(`${ofTask(uuid)}/retry`, { method: 'POST', body: said });
    return;
  }
  const steps = await ask<StepDetail[]>(`${ofTask(uuid)}/workflow_steps`);
  for (const step of steps) if (step.current_state === 'error') await retryStep(uuid, step.step_uuid, said);
}

export function cancelTask(uuid: string): Promise<unknown> {
  return ask(ofTask(uuid), { method: 'DELETE' });
}

/** `resolve`, `pause`, `resume`, `start-now`: acts of a task that need nothing but a reason. */
export function actOnTask(uuid: string, act: string, said: Said): Promise<unknown> {
  return ask(`${ofTask(uuid)}/${act}`, { method: 'POST', body: said });
}

export function retryStep(uuid: string, step: string, { reason, by }: Said): Promise<unknown> {
  return patchStep(uuid, step, { action_type: 'reset_for_retry', reason, reset_by: by });
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

/** Runs a step and everything after it again. */
export function rerunFrom(uuid: string, step: string, said: Said): Promise<unknown> {
  return ask(`${ofTask(uuid)}/rerun`, { method: 'POST', body: { from: step, ...said } });
}
