import { defineHandler } from 'tasker-core';

interface Person {
  name: string;
  language: 'en' | 'fr';
}

/** Reads the task's input: the context that the task was created with. */
export const lookUp = defineHandler('look_up', { inputs: { name: 'name' } }, async ({ name }): Promise<Person> => {
  return { name: String(name), language: String(name).endsWith('e') ? 'fr' : 'en' };
});

/** Reads the result of an earlier step. One handler may serve many steps. */
export const greet = defineHandler('greet', { depends: { person: 'look_up' } }, async ({ person }) => {
  const { name, language } = person as Person;
  return { text: `${language === 'fr' ? 'Bonjour' : 'Hello'}, ${name}!` };
});

/** A handler that throws is retried. Throw a PermanentError if a retry would not help. */
export const report = defineHandler(
  'report',
  { depends: { mail: 'send_mail', chat: 'post_to_chat' } },
  async ({ mail, chat }) => {
    return { said: [mail, chat].map((sent) => (sent as { text: string }).text) };
  },
);
