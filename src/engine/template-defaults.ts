import { TaskerError } from '../errors.ts';
import { CONTEXT_LIMITS } from '../model/context-limits.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import type { TaskRequest } from './create-task.ts';

type Fields = Record<string, unknown>;

/**
 * Fills the missing fields of a request from the template's `default_options`. Without these, returns the same object.
 */
export function withDefaultOptions(request: TaskRequest, { defaultOptions }: TaskTemplate): TaskRequest {
  if (!defaultOptions) return request;
  const { priority, tags, initiator, sourceSystem, reason } = defaultOptions;
  return {
    ...request,
    priority: request.priority ?? priority ?? undefined,
    tags: request.tags ?? tags ?? undefined,
    initiator: request.initiator ?? initiator ?? undefined,
    sourceSystem: request.sourceSystem ?? sourceSystem ?? undefined,
    reason: request.reason ?? reason ?? undefined,
  };
}

/**
 * Fills the missing keys of a context from the template's `default_context`. Returns it as an object and as JSON text.
 * @throws TaskerError `invalid_context` when the two together are too large
 */
export function withDefaultContext(context: Fields, defaults: Fields, where: string): { plain: Fields; json: string } {
  const plain = { ...defaults, ...context };
  const json = JSON.stringify(plain);
  if (Buffer.byteLength(json) <= CONTEXT_LIMITS.bytes) return { plain, json };
  throw new TaskerError(
    'invalid_context',
    `${where}: context takes more than ${CONTEXT_LIMITS.bytes} bytes together with the template's default_context; pass less`,
    { details: { path: 'context' } },
  );
}
