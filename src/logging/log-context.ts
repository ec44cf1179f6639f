import { z } from 'zod';
import { TaskerError } from '../errors.ts';

/** Identifies the subject of a log line. Keys are logged in snake_case; absent fields are omitted. */
export interface LogContext {
  correlationId?: string | null;
  taskUuid?: string | null;
  stepUuid?: string | null;
  namespace?: string | null;
  operation?: string | null;
}

const text = z.string().nullish();
const Form = z.strictObject({
  correlationId: text,
  taskUuid: text,
  stepUuid: text,
  namespace: text,
  operation: text,
});

/**
 * Checks and returns a {@link LogContext}. A plain object can be used too. Throws `bad_request` for an unknown key.
 *
 * @example
 * logInfo('processing', LogContext({ correlationId: 'abc-123', operation: 'process_order' }));
 */
export function LogContext(fields: LogContext): LogContext {
  const parsed = Form.safeParse(fields);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
  throw new TaskerError('bad_request', `log context: ${where}${issue?.message ?? 'is not an object'}`, {
    cause: parsed.error,
  });
}

const SNAKE_CASE: Readonly<Record<string, string>> = {
  correlationId: 'correlation_id',
  taskUuid: 'task_uuid',
  stepUuid: 'step_uuid',
};

/** The fields of a log line. Fields of a log context are in snake_case, and all others are unchanged. */
export function loggedFields(fields: object): Record<string, unknown> {
  const logged: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const renamed = Object.hasOwn(SNAKE_CASE, name) ? SNAKE_CASE[name]! : name;
    if (renamed === name || value != null) logged[renamed] = value;
  }
  return logged;
}
