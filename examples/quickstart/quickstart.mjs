import { createTasker, workflow } from 'tasker-core';
import { z } from 'zod';

const hello = workflow('demo/hello@1.0.0', {
  input: z.object({ name: z.string() }),
  identity_strategy: 'always_unique',
})
  .step('greet', { run: ({ input }) => ({ greeting: `Hello ${input.name}` }) })
  .output(({ steps }) => ({ greeting: steps.greet.greeting }));

const tasker = await createTasker({ workflows: [hello] });
const { greeting } = await tasker.run(hello, { name: 'Ada' }, { timeoutMs: 10_000 });
console.log(greeting); // Hello Ada
await tasker.stop();
