import { z } from 'zod';
import { named, time, UseSchema } from './schemas/action-results.ts';
import { NAMES } from './schemas/names.ts';
import { userJson } from './schemas/user-json.ts';
import { verb } from './verb.ts';

const token = named(500).meta({
  description: 'The return value of `context.completionToken()`. It is the credential of the request.',
});

/** The verbs for completions. */
export const completions = {
  complete: verb({
    method: 'post',
    path: '/v1/completions/complete',
    on: 'installation',
    permission: 'public',
    summary: 'Completes a step from outside with its token',
    takes: {
      body: z.strictObject({ token, result: userJson('result').optional() }).register(NAMES, { id: 'CompleteRequest' }),
    },
    gives: UseSchema,
    errors: [409],
  }),
  fail: verb({
    method: 'post',
    path: '/v1/completions/fail',
    on: 'installation',
    permission: 'public',
    summary: 'Fails the attempt of a token',
    takes: {
      body: z
        .strictObject({
          token,
          message: z.string().min(1).max(10_000),
          error_type: named().optional(),
          retryable: z.boolean().default(true),
        })
        .register(NAMES, { id: 'FailRequest' }),
    },
    gives: UseSchema,
    errors: [409],
  }),
  extend: verb({
    method: 'post',
    path: '/v1/completions/extend',
    on: 'installation',
    permission: 'public',
    summary: 'Extends the wait for a completion',
    takes: {
      body: z
        .strictObject({ token, timeout: named(100).meta({ description: 'A duration from now, such as `15m`.' }) })
        .register(NAMES, { id: 'ExtendRequest' }),
    },
    gives: z.object({ until: time }).register(NAMES, { id: 'Extended' }),
    errors: [409],
  }),
};
