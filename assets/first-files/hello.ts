import { workflow } from 'tasker-core';

/** A workflow: its steps, their order, and the function that does the work of each. */
export const hello = workflow('demo/hello@1.0.0', {
  description: 'Look a person up, greet them, and say so in two places',
  // Two requests with the same input create two tasks. Without this line, they create one.
  identity_strategy: 'always_unique',
  // With a zod schema as `input`, the input is typed.
  input_schema: {
    type: 'object',
    required: ['name'],
    properties: { name: { type: 'string', minLength: 1, examples: ['Ada'] } },
  },
})
  .step('look_up', {
    run: async ({ input }) => {
      const name = String(input['name']);
      return { name, language: name.endsWith('e') ? 'fr' : 'en' };
    },
  })
  // `steps` has the results of the steps before this one, with their types.
  .step('send_mail', {
    after: ['look_up'],
    retry: { max_attempts: 5, backoff: 'exponential', backoff_base_ms: 500 },
    run: async ({ steps }) => greet(steps.look_up),
  })
  .step('post_to_chat', { after: ['look_up'], run: async ({ steps }) => greet(steps.look_up) })
  // A step whose function throws is retried. Throw a PermanentError if a retry would not help.
  .step('report', {
    after: ['send_mail', 'post_to_chat'],
    run: async ({ steps }) => ({ said: [steps.send_mail.text, steps.post_to_chat.text] }),
  })
  .output(({ steps }) => ({ said: steps.report.said }));

function greet({ name, language }: { name: string; language: string }): { text: string } {
  return { text: `${language === 'fr' ? 'Bonjour' : 'Hello'}, ${name}!` };
}
