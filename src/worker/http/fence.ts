import type { HeldKey } from '../../engine/engine.ts';
import { TaskerError } from '../../errors.ts';
import { stepUuid } from '../../model/ids.ts';

/** An attempt of a step that was given to a worker over HTTP. */
export interface Attempt extends HeldKey {
  attempt: number;
}

/** Returns the text that a client sends with everything it reports about an attempt. Clients must not interpret it. */
export function fenceOf({ claim, attempt, idx }: Omit<Attempt, 'taskUuid'>): string {
  return `${claim}.${attempt}.${idx}`;
}

const FENCE = /^(\d{1,16})\.(\d{1,9})\.(\d{1,10})$/;

/**
 * Reads a fence. The id of a step is derived from the id of its task and the index of the step. @throws TaskerError
 * `bad_request`
 */
export function readFence(step: string, fence: string): Attempt {
  const [, claim, attempt, idx] = (FENCE.exec(fence) ?? []).map(Number);
  if (idx === undefined || idx >= 2 ** 31 || claim! > Number.MAX_SAFE_INTEGER) {
    throw new TaskerError('bad_request', 'fence is not valid; send the fence that the claim returned');
  }
  return { claim: claim!, attempt: attempt!, idx, taskUuid: stepUuid(step.toLowerCase(), idx) };
}

/** Returns a string that identifies an attempt. */
export function keyOf({ claim, idx, taskUuid }: HeldKey): string {
  return `${claim}.${idx}.${taskUuid}`;
}
