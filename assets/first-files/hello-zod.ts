import { defineHandler } from 'tasker-core';
import { z } from 'zod';

const Person = z.object({ name: z.string(), language: z.enum(['en', 'fr']) });
const Sent = z.object({ text: z.string() });

/** Reads the task's input: the context that the task was created with. */
export const lookUp = defineHandler(
  'look_up',
  { inputs: { name: z.string() } },
  async ({ name }): Promise<z.infer<typeof Person>> => {
    return { name, language: name.endsWith('e') ? 'fr' : 'en' };
  },
);

/** Reads the result of an earlier step. One handler may serve many steps. */
export const greet = defineHandler(
  'greet',
  { depends: { person: ['look_up', Person] } },
  async ({ person: { name, language } }): Promise<z.infer<typeof Sent>> => {
    return { text: `${language === 'fr' ? 'Bonjour' : 'Hello'}, ${name}!` };
  },
);

/** A handler that throws is retried. Throw a PermanentError if a retry would not help. */
export const report = defineHandler(
  'report',
  { depends: { mail: ['send_mail', Sent], chat: ['post_to_chat', Sent] } },
  async ({ mail, chat }) => {
    return { said: [mail.text, chat.text] };
  },
);
