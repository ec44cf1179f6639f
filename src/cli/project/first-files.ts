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

/** Reads the task's input: the context that the task was created with. */
export const lookUp = defineHandler('look_up', { inputs: { name: 'name' } }, async ({ name }): Promise<Person> => {
  return { name: String(name), language: String(name).endsWith('e') ? 'fr' : 'en' };
});

/** Reads the result of an earlier step. One handler may serve many steps. */
export const greet = defineHandler('greet', { depends: { person: 'look_up' } }, async ({ person }) => {
  const { name, language } = person as Person;
  return { text: \`\${language === 'fr' ? 'Bonjour' : 'Hello'}, \${name}!\` };
});

/** A handler that throws is retried. Throw a PermanentError if a retry would not help. */
export const report = defineHandler(
  'report',
  { depends: { mail: 'send_mail', chat: 'post_to_chat' } },
  async ({ mail, chat }) => {
    return { said: [mail, chat].map((sent) => (sent as { text: string }).text) };
  },
);
`;

const ZOD_HANDLERS = `import { defineHandler } from 'tasker-core';
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
    return { text: \`\${language === 'fr' ? 'Bonjour' : 'Hello'}, \${name}!\` };
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
`;

const PLAIN_HANDLERS = `import { defineHandler } from 'tasker-core';

/** Reads the task's input: the context that the task was created with. */
export const lookUp = defineHandler('look_up', { inputs: { name: 'name' } }, async ({ name }) => {
  return { name, language: name.endsWith('e') ? 'fr' : 'en' };
});

/** Reads the result of an earlier step. One handler may serve many steps. */
export const greet = defineHandler('greet', { depends: { person: 'look_up' } }, async ({ person }) => {
  return { text: \`\${person.language === 'fr' ? 'Bonjour' : 'Hello'}, \${person.name}!\` };
});

/** A handler that throws is retried. Throw a PermanentError if a retry would not help. */
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
    const { results } = await kit.run({ namespace: 'demo', name: 'hello', context: { name: 'Ada' } });
    ${equal}
  } finally {
    await kit.stop();
  }
}, 30_000);
`;
}

/** The files that `tasker init` writes, and its advice. */
export interface FirstFiles {
  files: FirstFile[];
  /** The script `test`. */
  testScript: string;
  /** The command that runs the generated test. */
  runTest: string;
}

/** The files of a first workflow, in the language and for the test runner that the project has. */
export function firstFiles(project: Project): FirstFiles {
  const handlers = handlersOf(project);
  const test = testOf(project);
  return {
    files: [
      { path: 'templates/hello.yaml', text: TEMPLATE },
      handlers,
      test,
      { path: '.gitignore', text: 'node_modules/\n.tasker/\n' },
    ],
    testScript: project.usesVitest ? 'vitest run' : 'node --test',
    runTest: project.usesVitest ? `npx vitest run ${test.path}` : `node --test ${test.path}`,
  };
}

function handlersOf({ usesTypeScript, usesZod, modules }: Project): FirstFile {
  if (usesTypeScript) return { path: 'handlers/hello.ts', text: usesZod ? ZOD_HANDLERS : TYPED_HANDLERS };
  return { path: modules === 'commonjs' ? 'handlers/hello.mjs' : 'handlers/hello.js', text: PLAIN_HANDLERS };
}

function testOf({ usesTypeScript, usesVitest }: Project): FirstFile {
  if (usesVitest) {
    const imports = "import { expect, test } from 'vitest';";
    // In brackets, because noPropertyAccessFromIndexSignature forbids the dot.
    const result = usesTypeScript ? "results['report']" : 'results.report';
    return {
      path: `test/hello.test.${usesTypeScript ? 'ts' : 'js'}`,
      text: testText({ imports, equal: `expect(${result}).toEqual(${REPORT});` }),
    };
  }
  const imports = "import { deepEqual } from 'node:assert/strict';\nimport { test } from 'node:test';";
  const text = testText({ imports, equal: `deepEqual(results.report, ${REPORT});` });
  return { path: 'test/hello.test.mjs', text: text.replace('}, 30_000);', '});') };
}

/**
 * The changes that a CommonJS project needs for the generated files; undefined when it needs none. All of them are ES
 * modules. `.mjs` says so itself; for `.js` and `.ts`, package.json decides.
 */
export function commonJsAdvice({ modules, usesTypeScript }: Project, written: readonly string[]): string | undefined {
  const unclear = written.filter((path) => /\.[jt]s$/.test(path));
  if (modules === 'esm' || unclear.length === 0) return undefined;
  const compiler = usesTypeScript ? ' and set "module": "nodenext" in tsconfig.json' : '';
  const renamed = unclear.map((path) => `${path} to ${path.replace(/([jt]s)$/, 'm$1')}`).join(' and ');
  return `this project is CommonJS, and ${unclear.join(' and ')} use${unclear.length === 1 ? 's' : ''} import: run \`npm pkg set type=module\`${compiler}; to stay with CommonJS, rename ${renamed}`;
}
