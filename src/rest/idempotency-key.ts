import { z } from '@hono/zod-openapi';
import { TaskerError } from '../errors.ts';

/** The header that names a request, so that it can be repeated. */
export const KEY_HEADER = 'idempotency-key';

/** The header of a route that creates a task. */
export const KeyHeader = z.object({ [KEY_HEADER]: z.string().min(1).max(1000).optional() });

/** How a task with the same identity is treated. */
export const OnDuplicate = z.enum(['error', 'return']);

/**
 * Returns the key of a request, which its header or its body may contain.
 * @throws TaskerError `bad_request` if they contain different keys
 */
export function keyOf(
  { [KEY_HEADER]: header }: z.infer<typeof KeyHeader>,
  { idempotency_key: inBody }: { idempotency_key?: string | null | undefined },
): string | undefined {
  if (header !== undefined && inBody != null && header !== inBody) {
    throw new TaskerError(
      'bad_request',
      `the header Idempotency-Key is ${header}, but idempotency_key in the body is ${inBody}; send only one of them`,
    );
  }
  return header ?? inBody ?? undefined;
}
