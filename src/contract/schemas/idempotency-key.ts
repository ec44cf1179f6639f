import { z } from 'zod';

/** The header that names a request, so that it can be repeated. */
export const KEY_HEADER = 'idempotency-key';

/** The header of a route that creates a task. */
export const KeyHeader = z.object({ [KEY_HEADER]: z.string().min(1).max(1000).optional() });

/** How a task with the same identity is treated. */
export const OnDuplicate = z.enum(['error', 'return']);

/** The advice in the error about a task with the same identity, to callers that can send the parameter. */
export const GET_EXISTING = 'send ?on_duplicate=return to get it';
