import { defineHandler } from 'tasker-core';
import { z } from 'zod';

export const validateRequest = defineHandler(
  'approval.validate_request',
  { inputs: { amount: z.number().default(0) } },
  ({ amount }) => ({ amount }),
);

export const autoApprove = defineHandler('approval.auto_approve', {}, () => ({ approved_by: 'rule' }));

/** Where a shop would ask a person and wait for the answer. Whom, the template says. */
export const ask = defineHandler('approval.ask', {}, ({ context }) => ({ approved_by: context.getConfig('role') }));
