import { readFileSync } from 'node:fs';
import { packageFile } from '../../config/package-version.ts';
import type { Project } from './package-json.ts';

/** A file that `tasker init` writes. */
export interface FirstFile {
  /** Relative to the project. */
  path: string;
  text: string;
}

/**
 * Reads an asset. The template and the handlers are real files in the repository, so they are checked like the rest of
 * the code.
 */
const firstText = (file: string) => readFileSync(packageFile(`assets/first-files/${file}`), 'utf8');

const REPORT = "{ said: ['Hello, Ada!', 'Hello, Ada!'] }";

/** Returns a test that runs the whole workflow on a temporary database. */
function testText({ imports, equal, sources }: { imports: string; equal: string; sources: string }): string {
  return `${imports}
import { testTasker } from 'tasker-core/testing';

test('hello greets the person in two places and reports it', async () => {
  const kit = await testTasker({ ${sources} });
  try {
    const { results } = await kit.run({ namespace: 'demo', name: 'hello', context: { name: 'Ada' } });
    ${equal}
  } finally {
    await kit.stop();
  }
}, 30_000);
`;
}

/** The files that `tasker init` writes, and how to run the test. */
export interface FirstFiles {
  files: FirstFile[];
  /** The npm script `test`. */
  testScript: string;
  /** The command that runs the generated test. */
  runTest: string;
}

/**
 * Returns the files of a first workflow, for the language and test runner of the project. In TypeScript, the template and
 * its handlers are one file.
 */
export function firstFiles(project: Project): FirstFiles {
  const handlers = handlersOf(project);
  const test = testOf(project);
  return {
    files: [
      ...(project.usesTypeScript ? [] : [{ path: 'templates/hello.yaml', text: firstText('hello.yaml') }]),
      handlers,
      test,
      { path: '.gitignore', text: 'node_modules/\n.tasker/\n' },
    ],
    testScript: project.usesVitest ? 'vitest run' : 'node --test',
    runTest: project.usesVitest ? `npx vitest run ${test.path}` : `node --test ${test.path}`,
  };
}

function handlersOf({ usesTypeScript, usesZod, modules }: Project): FirstFile {
  if (usesTypeScript) return { path: 'handlers/hello.ts', text: firstText(usesZod ? 'hello-zod.ts' : 'hello.ts') };
  return { path: modules === 'commonjs' ? 'handlers/hello.mjs' : 'handlers/hello.js', text: firstText('hello.js') };
}

function testOf({ usesTypeScript, usesVitest }: Project): FirstFile {
  const sources = usesTypeScript ? "handlers: './handlers'" : "templates: './templates', handlers: './handlers'";
  if (usesVitest) {
    const imports = "import { expect, test } from 'vitest';";
    // Uses brackets, because noPropertyAccessFromIndexSignature forbids the dot.
    const result = usesTypeScript ? "results['report']" : 'results.report';
    return {
      path: `test/hello.test.${usesTypeScript ? 'ts' : 'js'}`,
      text: testText({ imports, sources, equal: `expect(${result}).toEqual(${REPORT});` }),
    };
  }
  const imports = "import { deepEqual } from 'node:assert/strict';\nimport { test } from 'node:test';";
  const text = testText({ imports, sources, equal: `deepEqual(results.report, ${REPORT});` });
  return { path: 'test/hello.test.mjs', text: text.replace('}, 30_000);', '});') };
}

/**
 * Describes the changes that a CommonJS project needs for the generated files, which are ES modules. Undefined if it
 * needs none. A `.mjs` file is always an ES module. For `.js` and `.ts`, package.json decides.
 */
export function commonJsAdvice({ modules, usesTypeScript }: Project, written: readonly string[]): string | undefined {
  const unclear = written.filter((path) => /\.[jt]s$/.test(path));
  if (modules === 'esm' || unclear.length === 0) return undefined;
  const compiler = usesTypeScript ? ' and set "module": "nodenext" in tsconfig.json' : '';
  const renamed = unclear.map((path) => `${path} to ${path.replace(/([jt]s)$/, 'm$1')}`).join(' and ');
  return `this project is CommonJS, and ${unclear.join(' and ')} use${unclear.length === 1 ? 's' : ''} import: run \`npm pkg set type=module\`${compiler}; to keep CommonJS, rename ${renamed}`;
}
