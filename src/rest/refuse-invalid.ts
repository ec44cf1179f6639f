import type { Hook } from '@hono/zod-openapi';
import type { Env } from 'hono';
import { TaskerError } from '../errors.ts';

/** Rejects a request that does not match its schema, with the place of each problem. */
export const refuseInvalid: Hook<unknown, Env, string, unknown> = (result) => {
  if (result.success) return undefined;
  const problems = result.error.issues.map(({ path, message }) => ({ path: path.map(String).join('.'), message }));
  const [first] = problems;
  const text = `${first?.path ? `${first.path}: ` : ''}${first?.message ?? 'invalid request'}`;
  throw new TaskerError('bad_request', problems.length > 1 ? `${text} (and ${problems.length - 1} more)` : text, {
    details: { problems },
  });
};
