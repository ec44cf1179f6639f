import { z } from 'zod';
import { NAMES } from './names.ts';

/** The fields that every action's body has: the reason, and the operator. */
export const OPERATOR = {
  reason: z.string().min(1).max(4000).optional().meta({ description: 'Kept in the history and the audit.' }),
  by: z.string().min(1).max(200).optional().meta({
    description: 'The operator. With a credential, its subject is the operator, and this name is only a remark.',
  }),
};

/** The body of an action that has no other fields. */
export const ActBody = z.strictObject(OPERATOR).register(NAMES, { id: 'Act' });
