import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { json, scripted } from './served.ts';

const run = promisify(execFile);

const ENTRY = path.resolve('src/client/index.ts');
/** Names that only Node has. */
const NODE_ONLY = new Set([
  'process',
  'Buffer',
  'require',
  'module',
  '__dirname',
  '__filename',
  'global',
  'setImmediate',
]);

/** Returns the files that a file loads at run time, itself included, and the packages that it loads. */
function loaded(entry: string): { files: string[]; packages: string[] } {
  const files = new Set([entry]);
  const packages = new Set<string>();
  for (const file of files) {
    for (const specifier of specifiersOf(file)) {
      if (specifier.startsWith('.')) files.add(path.resolve(path.dirname(file), specifier));
      else packages.add(specifier);
    }
  }
  return { files: [...files], packages: [...packages] };
}

/** Returns the imports that the compiler keeps because they import values. */
function specifiersOf(file: string): string[] {
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    compilerOptions: { module: ts.ModuleKind.ES2022, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true },
  });
  const { importedFiles } = ts.preProcessFile(outputText, true, true);
  return importedFiles.map(({ fileName }) => fileName);
}

function globalsOf(file: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const { parent } = node;
    const isName = ts.isIdentifier(node) && NODE_ONLY.has(node.text);
    const isMember = isName && ts.isPropertyAccessExpression(parent) && parent.name === node;
    const isKey = isName && (ts.isPropertyAssignment(parent) || ts.isBindingElement(parent)) && parent.name === node;
    if (isName && !isMember && !isKey) found.push(`${path.basename(file)}: ${node.text}`);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true));
  return found;
}

it('the client loads only its own files, and uses nothing that only Node has', () => {
  const { files, packages } = loaded(ENTRY);
  expect(packages).toEqual([]);
  const folder = path.dirname(ENTRY) + path.sep;
  expect(files.filter((file) => !file.startsWith(folder))).toEqual([]);
  expect(files.length).toBeGreaterThan(10);
  // `module` is a parameter in the client of the earlier SDK.
  expect(files.flatMap(globalsOf).filter((use) => !/^(tasker-client|get-client)\.ts: module$/.test(use))).toEqual([]);
  expect(globalsOf(path.resolve('src/config/read-variables.ts'))).toContain('read-variables.ts: process');
});

// Node's own `fetch` needs these two globals until after a request. The other globals of Node cannot be removed here.
it('the built client runs without `process` and `global`', async () => {
  let polls = 0;
  const { baseUrl } = await scripted([
    (response, { url }) =>
      json(url.includes('stream') ? {} : { task_uuid: 'a', status: polls++ < 1 ? 'pending' : 'complete' })(
        response,
        undefined as never,
      ),
  ]);
  const program = `
    const print = console.log;
    await (await fetch('${baseUrl}/stream')).text();
    for (const name of ['process', 'global']) delete globalThis[name];
    const { createClient, getTaskerClient } = await import(${JSON.stringify(pathToFileURL(path.resolve('dist/bundle/client.js')).href)});
    const seen = [];
    for await (const { status } of createClient({ baseUrl: '${baseUrl}' }).tasks.watch('a')) seen.push(status);
    const old = await getTaskerClient({ baseUrl: '${baseUrl}' });
    print(seen.join(' '), (await old.getTask('a')).status, typeof globalThis.process);
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program]);
  expect(stdout.trim()).toBe('pending complete complete undefined');
});
