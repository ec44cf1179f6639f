import { defineHandler } from 'tasker-core';
import { z } from 'zod';

export const validateRequest = defineHandler(
  'approval.validate_request',
  { inputs: { amount: z.number().default(0) } },
  ({ amount }) => ({ amount }),
);

export const autoApprove = defineHandler('approval.auto_approve', {}, () => ({ approved_by: 'rule' }));

/** Approves immediately, in the role that the template sets. The example `sign-off` waits for people instead. */
export const ask = defineHandler('approval.ask', {}, ({ context }) => ({ approved_by: context.getConfig('role') }));
