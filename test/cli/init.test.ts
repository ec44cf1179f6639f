import { readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installation, type Project } from './installation.ts';

let place: Awaited<ReturnType<typeof installation>>;

beforeAll(async () => {
  place = await installation();
});

afterAll(() => {
  declarations.clear();
  return place?.remove();
});

const STRICT = {
  target: 'es2022',
  module: 'nodenext',
  strict: true,
  noPropertyAccessFromIndexSignature: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  verbatimModuleSyntax: true,
  declaration: true,
  types: ['node'],
  skipLibCheck: true,
  noEmit: true,
};

const SECOND_TEMPLATE = 'name: more\nnamespace: another\nversion: "1.0.0"\nsteps: [{ name: only, handler: only }]\n';
const SECOND_HANDLER = `import { defineHandler } from 'tasker-core';

export const only = defineHandler('only', {}, async () => ({}));
`;

/** A template with every kind of schema that `generate scaffold` translates. */
const RICH_TEMPLATE = `
name: rich-order
namespace: shop_ts
version: "1.0.0"
input_schema:
  type: object
  required: [id, lines, "ship-to"]
  properties:
    id: { type: string }
    lines: { type: array, items: { type: object, required: [sku], properties: { sku: { type: string }, count: { type: integer } } } }
    ship-to: { anyOf: [{ type: string }, { $ref: '#/$defs/address' }] }
    labels: { type: object, additionalProperties: { type: string } }
  $defs: { address: { type: object } }
steps:
  - name: check-stock
    handler: stock.check
    result_schema: { type: object, required: [level], properties: { level: { enum: [none, some] }, at: { type: [string, "null"] } } }
  - name: wait
    type: timer
    timer: { for: 1h }
    depends_on: [check-stock]
  - name: route
    type: decision
    handler: stock.route
    depends_on: [check-stock, wait]
  - name: ship
    handler: { callable: stock.ship, method: send }
    depends_on: [route]
  - { name: split, type: batchable, handler: stock.split, depends_on: [check-stock] }
  - name: pack
    type: batch_worker
    handler: stock.pack
    depends_on: [split]
    result_schema: { type: object, required: [boxes], properties: { boxes: { type: integer } } }
    batch_config: { parallelism: 2, cursor_field: id, worker_template: pack, failure_strategy: isolate }
  - { name: sum, type: deferred_convergence, handler: stock.sum, depends_on: [pack, ship] }
`;

interface Made {
  project: Project;
  written: string[];
  advice: string | null;
}

/** Creates a project with these development dependencies and a strict tsconfig, and runs `tasker init` in it. */
async function initialised(
  name: string,
  { manifest = {}, uses = [], args = [] }: { manifest?: object; uses?: string[]; args?: string[] },
): Promise<Made> {
  const project = await place.project(name);
  const devDependencies = Object.fromEntries(uses.map((one) => [one, '*']));
  await project.write('package.json', JSON.stringify({ name, ...manifest, devDependencies }));
  if (uses.includes('typescript'))
    await project.write(
      'tsconfig.json',
      JSON.stringify({ compilerOptions: STRICT, include: ['handlers', 'test', 'made'] }),
    );
  return { project, ...(await project.json<Omit<Made, 'project'>>(['init', ...args])) };
}

const read = (project: Project, file: string) => readFile(path.join(project.folder, file), 'utf8');

/** The declarations of the installed packages. The compilations share them, because parsing them takes most of the time. */
const declarations = new Map<string, ts.SourceFile | undefined>();

/** Returns the output of `tsc -p .` in the project, which is empty if it compiles. */
function compile({ folder }: Project): string {
  const problems: ts.Diagnostic[] = [];
  const configHost = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (one: ts.Diagnostic) => problems.push(one) };
  const config = ts.getParsedCommandLineOfConfigFile(path.join(folder, 'tsconfig.json'), {}, configHost)!;
  const host = ts.createCompilerHost(config.options);
  const { getSourceFile } = host;
  host.getSourceFile = (file, ...more) => {
    if (file.startsWith(`${folder}/`)) return getSourceFile(file, ...more);
    if (!declarations.has(file)) declarations.set(file, getSourceFile(file, ...more));
    return declarations.get(file);
  };
  const program = ts.createProgram({
    rootNames: config.fileNames,
    options: config.options,
    host,
    configFileParsingDiagnostics: config.errors,
  });
  problems.push(...ts.getPreEmitDiagnostics(program));
  return ts.formatDiagnostics(problems, host);
}

/** Runs the project's own script `test`. */
async function runTests(project: Project): Promise<{ code: number | null; output: string }> {
  const { scripts } = JSON.parse(await read(project, 'package.json')) as { scripts: { test: string } };
  const args = {
    'node --test': ['--test'],
    'vitest run': [path.resolve('node_modules/vitest/vitest.mjs'), 'run'],
  }[scripts.test];
  const { code, stdout, stderr } = await project.node(args!).ended;
  return { code, output: stdout + stderr };
}

it.each([
  { name: 'zod', uses: ['typescript', 'zod'], handler: 'input: z.object(' },
  { name: 'vitest', uses: ['typescript', 'vitest'], handler: 'input_schema: {' },
])(
  'in an ES module project with $name, the files of init and generate scaffold pass strict tsc, and the test of init passes',
  async (given) => {
    const { project, written, advice } = await initialised(`esm-${given.name}`, {
      manifest: { type: 'module', scripts: { test: 'echo "Error: no test specified" && exit 1' } },
      uses: given.uses,
    });
    expect([written.at(-1), advice]).toEqual(['package.json (scripts dev, worker, test)', null]);
    expect(await read(project, 'handlers/hello.ts')).toContain(given.handler);
    expect(written).not.toContain('templates/hello.yaml');
    expect(await project.json(['doctor'])).toMatchObject({ healthy: true });
    if (given.uses.includes('zod')) {
      await project.write('rich.yaml', RICH_TEMPLATE);
      expect(await project.run(['generate', 'scaffold', 'rich.yaml', '-o', 'made'])).toMatchObject({ code: 0 });
      expect(await read(project, 'made/handlers/rich-order.ts')).toContain('stock.ship');
    }
    expect(compile(project)).toBe('');

    await project.write('templates/more.yaml', SECOND_TEMPLATE);
    await project.write('handlers/more.ts', SECOND_HANDLER);
    expect(await runTests(project)).toMatchObject({ code: 0 });
  },
);

it('init in a CommonJS project suggests two alternatives, and the project passes strict tsc after either of them', async () => {
  const { project, advice } = await initialised('commonjs', {
    manifest: { type: 'commonjs' },
    uses: ['typescript', 'vitest', 'zod'],
  });
  expect(advice).toBe(
    'this project is CommonJS, and handlers/hello.ts and test/hello.test.ts use import: run `npm pkg set type=module` ' +
      'and set "module": "nodenext" in tsconfig.json; to keep CommonJS, rename handlers/hello.ts to ' +
      'handlers/hello.mts and test/hello.test.ts to test/hello.test.mts',
  );
  expect(compile(project)).toMatch(/error TS1\d+: .*CommonJS/);
  const manifest = await read(project, 'package.json');
  await project.write('package.json', manifest.replace('"type": "commonjs"', '"type": "module"'));
  expect(compile(project)).toBe('');

  await project.write('package.json', manifest);
  for (const file of ['handlers/hello', 'test/hello.test'])
    await rename(path.join(project.folder, `${file}.ts`), path.join(project.folder, `${file}.mts`));
  expect(compile(project)).toBe('');
  expect(await project.json(['init'])).toMatchObject({
    written: [],
    kept: expect.arrayContaining(['handlers/hello.mts', 'test/hello.test.mts']),
    next: expect.arrayContaining(['npx vitest run test/hello.test.mts']),
    advice: null,
  });
  expect(await runTests(project)).toMatchObject({ code: 0 });
});

it('init writes JavaScript that runs unchanged in a CommonJS project', async () => {
  const { project, written, advice } = await initialised('javascript', { manifest: { type: 'commonjs' } });
  expect([written, advice]).toEqual([expect.arrayContaining(['handlers/hello.mjs', 'test/hello.test.mjs']), null]);
  await project.write('templates/more.yaml', SECOND_TEMPLATE);
  await project.write('handlers/more.mjs', SECOND_HANDLER);
  expect(await runTests(project)).toMatchObject({ code: 0 });

  const unspecified = await initialised('unspecified', {});
  expect(unspecified.advice).toContain('to keep CommonJS, rename handlers/hello.js to handlers/hello.mjs');
});

it('init writes TypeScript with --typescript, and keeps an existing test script', async () => {
  const { project, written } = await initialised('asked', {
    manifest: { type: 'module', scripts: { test: 'jest' } },
    args: ['--typescript'],
  });
  expect(written).toEqual(expect.arrayContaining(['handlers/hello.ts', 'package.json (scripts dev, worker)']));
  expect(JSON.parse(await read(project, 'package.json'))).toMatchObject({ scripts: { test: 'jest' } });
});

it('init prints the advice for a CommonJS project to standard error after writing the files', async () => {
  const project = await place.project('printed');
  await project.write('package.json', '{}');
  const { code, stdout, stderr } = await project.run(['init', '--typescript']);
  expect([code, stdout]).toEqual([0, expect.stringContaining('handlers/hello.ts')]);
  expect(stderr).toMatch(
    /this project is CommonJS, and handlers\/hello\.ts uses import: run `npm pkg set type=module`/,
  );
});
