import { z } from 'zod';
import { describeUnknown } from '../../model/near-names.ts';

/** An object in a body that rejects unknown fields, and names the fields that they may be a misspelling of. */
export function closedObject<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? describeUnknown('field', issue.keys as string[], known) : undefined,
  });
}
