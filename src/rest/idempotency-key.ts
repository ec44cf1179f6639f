import type { z } from 'zod';
import { KEY_HEADER, type KeyHeader } from '../contract/schemas/idempotency-key.ts';
import { TaskerError } from '../errors.ts';

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
