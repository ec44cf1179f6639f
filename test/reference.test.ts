import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { SAMPLE_CLIENT } from './support/orm/sample-client.ts';
import { problemsOf, type SharedSources } from './support/type-check.ts';

/** An exported name as its page documents it. */
interface Documented {
  name: string;
  kind: string;
  /** The module from which it is imported. */
  entry: string;
  examples: string[];
  aliasOf: boolean;
}

const FOLDER = 'docs/reference';
const documented = readdirSync(FOLDER)
  .filter((file) => file !== 'README.md')
  .flatMap((file) => readFileSync(path.join(FOLDER, file), 'utf8').replaceAll('\r\n', '\n').split(/^## /m).slice(1))
  .map((section): Documented => {
    const [, name, kind, entry] = /^(\w+)\n\n([\w, ]+), from `([\w/-]+)`$/m.exec(section)!;
    const examples = [...section.matchAll(/^Example:\n\n```typescript\n([\s\S]*?)^```$/gm)].map(([, text]) => text!);
    return { name: name!, kind: kind!, entry: entry!, examples, aliasOf: section.includes('\nAnother name of ') };
  });

/** Returns the imports that an example omits: those of names that it uses and does not declare. */
function importsFor(example: string, own: string): string[] {
  // Two entry points may export different things under one name. An example refers to its own entry point.
  const names = new Map(documented.map((one) => [one.name, one]));
  for (const one of documented) if (one.entry === own) names.set(one.name, one);
  return [...names.values()]
    .filter(({ name }) => new RegExp(`(?<![.\\w'])${name}\\b(?!['\\w])`).test(example))
    .filter(({ name }) => !new RegExp(`(?:class|const|function|import.*) ${name}\\b`).test(example))
    .map(({ name, entry }) => `import { ${name} } from '${entry}';`);
}

/** Returns the example as a module. Code with `this` is put into a handler, and code with `return` into a function. */
function moduleOf(example: string, entry: string): string {
  const imports = [...importsFor(example, entry), ...(example.match(/^import .*$/gm) ?? [])];
  const body = example.replace(/^import .*$/gm, '');
  const has = (pattern: RegExp) => pattern.test(body);
  const member = has(/\bthis\./) && !has(/^(?:export )?(?:abstract )?class /m);
  const inside = member
    ? `import * as sdk from 'tasker-core';
       export abstract class Example extends sdk.withMixins(sdk.StepHandler, sdk.APIMixin, sdk.DecisionMixin, sdk.Batchable) {
         async example(context: sdk.StepContext): Promise<unknown> { ${body}; return context; }
       }`
    : has(/\breturn\b/) && !has(/^export /m)
      ? `export async function example(): Promise<unknown> { ${body}; return; }`
      : body;
  return `${imports.join('\n')}\nimport { z } from 'zod';\n${inside}\nexport {};\n`;
}

const GLOBALS = `declare global {
  const tasker: import('tasker-core').Tasker;
  const context: import('tasker-core').StepContext;
  const taskUuid: string;
  ${SAMPLE_CLIENT}
}
export {};`;

it('every exported function and class has an example', () => {
  const without = documented.filter(
    ({ kind, examples, aliasOf }) => /function|class/.test(kind) && !aliasOf && !examples[0],
  );
  expect(without.map(({ name }) => name)).toEqual([]);
});

it('the examples in docstrings compile', () => {
  const globals: [string, string] = [path.resolve('reference-globals.d.ts'), GLOBALS];
  const files = new Map([globals]);
  // An augmentation changes types for the whole program, so each is compiled as a separate program.
  const augmentations: Map<string, string>[] = [];
  for (const { name, entry, examples } of documented) {
    for (const text of examples) {
      // The names of the files are numbered, because some names differ only in case.
      const file: [string, string] = [path.resolve(`example-${files.size}-${name}.ts`), moduleOf(text, entry)];
      if (/^declare module/m.test(text)) augmentations.push(new Map([globals, file]));
      else files.set(...file);
    }
  }
  expect(files.size).toBeGreaterThan(100);
  const shared: SharedSources = new Map();
  expect([files, ...augmentations].flatMap((part) => problemsOf(part, shared))).toEqual([]);
});
