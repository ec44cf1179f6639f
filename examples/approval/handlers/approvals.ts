import { defineHandler } from 'tasker-core';
import { z } from 'zod';

export const validateRequest = defineHandler(
  'approval.validate_request',
  { inputs: { amount: z.number().default(0) } },
  ({ amount }) => ({ amount }),
);

export const autoApprove = defineHandler('approval.auto_approve', {}, () => ({ approved_by: 'rule' }));

/** A real program would ask a person here and wait for the answer. The template names the role. */
export const ask = defineHandler('approval.ask', {}, ({ context }) => ({ approved_by: context.getConfig('role') }));
