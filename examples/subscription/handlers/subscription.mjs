import { Decision, defineDecisionHandler, defineHandler } from 'tasker-core';
import { post } from '../letters.mjs';

const customer = { inputs: { customer: 'customer' } };

/** Returns a handler that sends the customer a letter. */
const letter = (name, text) =>
  defineHandler(`subscription.${name}`, customer, (inputs) => {
    post.send(inputs.customer, text);
    return { sent: text };
  });

export const welcome = letter('welcome', 'welcome');
export const remind = letter('remind', 'your trial ends in 3 days');
export const expire = letter('expire', 'your trial has ended');
export const sayGoodbye = letter('say_goodbye', 'goodbye');

export const charge = defineHandler(
  'subscription.charge',
  { inputs: { customer: 'customer', month: 'month' } },
  (inputs) => {
    post.send(inputs.customer, `month ${inputs.month}: 990 cents`);
    return { cents: 990 };
  },
);

/** Creates the task of the next month. With the key, a repeated attempt finds the existing task. */
export const nextMonth = defineHandler(
  'subscription.next_month',
  { inputs: { customer: 'customer', month: 'month' } },
  async ({ customer: id, month = 0, context }) => {
    const next = await post.tasker.createTask(
      {
        namespace: 'subscription_demo',
        name: 'month',
        idempotencyKey: `${id}/${month + 1}`,
        correlationId: context.correlationId,
        context: { customer: id, month: month + 1 },
      },
      { onDuplicate: 'return' },
    );
    return { task: next.taskUuid };
  },
);

export const hasPaid = defineDecisionHandler('subscription.has_paid', {}, ({ context }) => {
  const { cents } = context.getDependencyResult(context.getConfig('of'));
  return Decision.route([context.getConfig(cents > 0 ? 'paid' : 'unpaid')]);
});

export const goesOn = defineDecisionHandler('subscription.goes_on', { depends: { end: 'cancelled' } }, ({ end }) =>
  Decision.route([end.cancelled ? 'say_goodbye' : 'renew']),
);
