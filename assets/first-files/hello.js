import { defineHandler } from 'tasker-core';

/** Reads the task's input: the context that the task was created with. */
export const lookUp = defineHandler('look_up', { inputs: { name: 'name' } }, async ({ name }) => {
  return { name, language: name.endsWith('e') ? 'fr' : 'en' };
});

/** Reads the result of an earlier step. One handler may serve many steps. */
export const greet = defineHandler('greet', { depends: { person: 'look_up' } }, async ({ person }) => {
  return { text: `${person.language === 'fr' ? 'Bonjour' : 'Hello'}, ${person.name}!` };
});

/** A handler that throws is retried. Throw a PermanentError if a retry would not help. */
export const report = defineHandler(
  'report',
  { depends: { mail: 'send_mail', chat: 'post_to_chat' } },
  async ({ mail, chat }) => {
    return { said: [mail.text, chat.text] };
  },
);
