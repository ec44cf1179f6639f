import type { Project } from './package-json.ts';

/** A file that `tasker init` writes. */
export interface FirstFile {
  /** Relative to the project. */
  path: string;
  text: string;
}

const TEMPLATE = `# yaml-language-server: $schema=../node_modules/tasker-core/schemas/task-template.json
name: hello
namespace: demo
version: "1.0.0"
description: Look a person up, greet them, and say so in two places
# The same input twice is two tasks; leave this line out and it is one.
identity_strategy: always_unique
input_schema:
  type: object
  required: [name]
  properties:
    name: { type: string, minLength: 1, examples: [Ada] }
steps:
  - name: look_up
    handler: look_up
  - name: send_mail
    handler: greet
    dependencies: [look_up]
    retry: { max_attempts: 5, backoff: exponential, backoff_base_ms: 500 }
  - name: post_to_chat
    handler: greet
    dependencies: [look_up]
  - name: report
    handler: report
    dependencies: [send_mail, post_to_chat]
`;

const TYPED_HANDLERS = `import { defineHandler } from 'tasker-core';

interface Person {
  name: string;
  language: 'en' | 'fr';
}

/** Reads the task's input: whatever was given as context when the task was created. */
export const lookUp = defineHandler('look_up', { inputs: { name: 'name' } }, async ({ name }): Promise<Person> => {
  return { name: String(name), language: String(name).endsWith('e') ? 'fr' : 'en' };
});

/** Reads the result of an earlier step. One handler may serve many steps. */
export const greet = defineHandler('greet', { depends: { person: 'look_up' } }, async ({ person }) => {
  const { name, language } = person as Person;
  return { text: \`\${language === 'fr' ? 'Bonjour' : 'Hello'}, \${name}!\` };
});

/** A handler that throws is tried again; throw a PermanentError where that would not help. */
export const report = defineHandler(
  'report',
  { depends: { mail: 'send_mail', chat: 'post_to_chat' } },
  async ({ mail, chat }) => {
    return { said: [mail, chat].map((sent) => (sent as { text: string }).text) };
  },
);
`;

const PLAIN_HANDLERS = `import { defineHandler } from 'tasker-core';

/** Reads the task's input: whatever was given as context when the task was created. */
export const lookUp = defineHandler('look_up', { inputs: { name: 'name' } }, async ({ name }) => {
  return { name, language: name.endsWith('e') ? 'fr' : 'en' };
});

/** Reads the result of an earlier step. One handler may serve many steps. */
export const greet = defineHandler('greet', { depends: { person: 'look_up' } }, async ({ person }) => {
  return { text: \`\${person.language === 'fr' ? 'Bonjour' : 'Hello'}, \${person.name}!\` };
});

/** A handler that throws is tried again; throw a PermanentError where that would not help. */
export const report = defineHandler(
  'report',
  { depends: { mail: 'send_mail', chat: 'post_to_chat' } },
  async ({ mail, chat }) => {
    return { said: [mail.text, chat.text] };
  },
);
`;

const REPORT = "{ said: ['Hello, Ada!', 'Hello, Ada!'] }";

/** The test runs the whole workflow on a database of its own, which is thrown away afterwards. */
function testText({ imports, equal }: { imports: string; equal: string }): string {
  return `${imports}
import { testTasker } from 'tasker-core/testing';

test('hello greets the person in two places and reports it', async () => {
  const kit = await testTasker({ templates: './templates', handlers: './handlers' });
  try {
    const { results } = await kit.run({ context: { name: 'Ada' } });
    ${equal}
  } finally {
    await kit.stop();
  }
}, 30_000);
`;
}

/** The files of a first workflow, in the language and for the test runner that the project has. */
export function firstFiles({ usesTypeScript, usesVitest }: Project): { files: FirstFile[]; runTest: string } {
  const test = usesVitest
    ? {
        path: `test/hello.test.${usesTypeScript ? 'ts' : 'js'}`,
        text: testText({
          imports: "import { expect, test } from 'vitest';",
          equal: `expect(results.report).toEqual(${REPORT});`,
        }),
      }
    : {
        path: 'test/hello.test.mjs',
        text: testText({
          imports: "import { deepEqual } from 'node:assert/strict';\nimport { test } from 'node:test';",
          equal: `deepEqual(results.report, ${REPORT});`,
        }).replace('}, 30_000);', '});'),
      };
  const files = [
    { path: 'templates/hello.yaml', text: TEMPLATE },
    usesTypeScript
      ? { path: 'handlers/hello.ts', text: TYPED_HANDLERS }
      : { path: 'handlers/hello.js', text: PLAIN_HANDLERS },
    test,
    { path: '.gitignore', text: 'node_modules/\n.tasker/\n' },
  ];
  return { files, runTest: usesVitest ? `npx vitest run ${test.path}` : `node --test ${test.path}` };
}
