import { z } from 'zod';
import { isFields } from '../../model/json.ts';

/** An object in a request that is kept as it was sent. `z.record` would drop the key `__proto__`. */
export const jsonObject = () =>
  z
    .custom<Record<string, unknown>>(isFields, { error: 'Invalid input: expected an object' })
    .meta({ type: 'object', additionalProperties: {} });
