import { execFile } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import esbuild from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventRegistries } from '../../src/app/event-registries.ts';
import { DiscoveredSubscribers } from '../../src/app/project/discovered-subscribers.ts';
import { loadHandlers } from '../../src/app/project/handler-folders.ts';
import { StepContext } from '../../src/handlers/step-context.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { discoverHandlers } from '../../src/registry/discover-handlers.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { idleMsOf, leastOf } from '../support/suite/measure.ts';

const projects: string[] = [];
let packageFolder: string;

// Handlers import the package by name, so projects load a different copy than the copy under test.
beforeAll(async () => {
  packageFolder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'tasker-package-')));
  projects.push(packageFolder);
  symlinkSync(path.resolve('node_modules'), path.join(packageFolder, 'node_modules'));
  writeFileSync(
    path.join(packageFolder, 'package.json'),
    JSON.stringify({ name: 'tasker-core', type: 'module', exports: './index.js' }),
  );
  const names = ['handlers/define-handler', 'handlers/step-handler', 'handlers/step-context', 'handlers/outcome'];
  const rooms = [...names, 'registry/discover-handlers', 'registry/handler-registry'];
  await esbuild.build({
    stdin: {
      contents: rooms.map((file) => `export * from ${JSON.stringify(path.resolve('src', `${file}.ts`))};`).join('\n'),
      resolveDir: packageFolder,
    },
    outfile: path.join(packageFolder, 'index.js'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
  });
});

afterAll(() => {
  for (const folder of projects) rmSync(folder, { recursive: true, force: true });
});

/** Creates a project with these files and the package installed. */
function project(files: Record<string, string>, name = 'project'): string {
  const root = realpathSync(mkdtempSync(path.join(os.tmpdir(), `tasker ${name}-`)));
  projects.push(root);
  mkdirSync(path.join(root, 'node_modules'));
  symlinkSync(packageFolder, path.join(root, 'node_modules', 'tasker-core'));
  write(root, files);
  return root;
}

function write(root: string, files: Record<string, string>): void {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
}

async function discover(root: string, registry = new HandlerRegistry()) {
  const log = collectingLogger();
  const found = await discoverHandlers(path.join(root, 'handlers'), { registry, logger: log.logger });
  return { ...found, registry, lines: log.lines };
}

async function run(registry: HandlerRegistry, name: string): Promise<Record<string, unknown> | null> {
  const handler = await registry.resolve(name);
  const result = await handler!.call(new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: name }));
  return result.result;
}

const greet = (name: string, value = `'${name}'`) =>
  `import { defineHandler } from 'tasker-core';\nexport const ${name} = defineHandler('${name}', {}, async () => ({ value: ${value} }));\n`;

describe('discovering handlers', () => {
  it('registers classes, instances, defined handlers and default exports, including those in subfolders', async () => {
    const root = project({
      'handlers/a.ts': greet('a'),
      'handlers/deep/er/b.js': greet('b'),
      'handlers/classes.ts': `import { StepHandler, type StepContext } from 'tasker-core';
        export abstract class Base extends StepHandler { helper(): number { return 1; } }
        export class First extends Base { static override handlerName = 'first'; call(_: StepContext) { return this.success({ n: this.helper() }); } }
        export class Second extends Base { static override handlerName = 'second'; call() { return this.success({ n: 2 }); } }
        export const third = new (class Third extends Base { static override handlerName = 'third'; call() { return this.success({}); } })();`,
      'handlers/default.mts': `import { defineHandler } from 'tasker-core'; export default defineHandler('by_default', {}, () => 1);`,
    });
    const { count, registry, files } = await discover(root);
    expect(registry.listHandlers()).toEqual(['a', 'b', 'by_default', 'first', 'second', 'third']);
    expect(count).toBe(6);
    expect(files.find(({ file }) => file.endsWith('classes.ts'))?.handlers).toEqual(['first', 'second', 'third']);
    expect(await run(registry, 'first')).toEqual({ n: 1 });
  });

  it('skips private names, tests, declarations and node_modules, and reports why a file has no handlers', async () => {
    const root = project({
      'handlers/_private.ts': 'throw new Error("imported");',
      'handlers/.hidden.ts': 'throw new Error("imported");',
      'handlers/_folder/x.ts': 'throw new Error("imported");',
      'handlers/a.test.ts': 'throw new Error("imported");',
      'handlers/a.spec.js': 'throw new Error("imported");',
      'handlers/types.d.ts': 'throw new Error("imported");',
      'handlers/node_modules/p/index.js': 'throw new Error("imported");',
      'handlers/nothing.ts': 'const x = 1;',
      'handlers/helper.ts': 'export const add = (a: number, b: number) => a + b;',
      'handlers/nameless.ts': `import { StepHandler } from 'tasker-core'; export class Nameless extends StepHandler { call() { return this.success(); } }`,
      'handlers/twice.ts': greet('twice'),
      'handlers/twice.js': 'throw new Error("imported");',
    });
    const { count, files } = await discover(root);
    expect(count).toBe(1);
    const reasons = Object.fromEntries(files.map(({ file, reason }) => [path.basename(file), reason]));
    expect(reasons).toEqual({
      'twice.js': 'twice.ts is its source',
      'helper.ts': 'no export is a handler: add',
      'nameless.ts': 'class Nameless has no handlerName of its own',
      'nothing.ts': 'it exports nothing',
      'twice.ts': undefined,
    });
  });

  it('accepts a path with spaces and letters of any language', async () => {
    const root = project({ 'handlers/größe 物/naïve file.ts': greet('unicode') }, 'prøject 工');
    expect((await discover(root)).registry.listHandlers()).toEqual(['unicode']);
  });

  it('accepts a file that only imports types', async () => {
    const root = project({
      'handlers/types.ts': 'export interface Order { id: string }\nexport type Id = Order["id"];',
      'handlers/order.ts': `import { type Order, Id } from './types.ts';
        import type { StepContext } from 'tasker-core';
        import { defineHandler } from 'tasker-core';
        const id: Id = 'O-7';
        export default defineHandler('order', {}, ({ context }: { context: StepContext }): Order => ({ id }));`,
    });
    expect(await run((await discover(root)).registry, 'order')).toEqual({ id: 'O-7' });
  });

  it('shares one module among the files that import it', async () => {
    const root = project({
      'handlers/_count.ts': 'let n = 0;\nexport const next = (): number => ++n;',
      'handlers/a.ts': `import { next } from './_count.ts';\n${greet('a', 'next()')}`,
      'handlers/b.ts': `import { next } from './_count.js';\n${greet('b', 'next()')}`,
    });
    const { registry } = await discover(root);
    expect([await run(registry, 'a'), await run(registry, 'b')]).toEqual([{ value: 1 }, { value: 2 }]);
  });

  it('finds files next to a handler with import.meta', async () => {
    const root = project({
      'handlers/deep/rates.csv': 'EUR,1',
      'handlers/deep/settings.json': '{"factor":3}',
      'handlers/deep/_read.ts': `import { readFileSync } from 'node:fs';
        export const rates = (): string => readFileSync(new URL('./rates.csv', import.meta.url), 'utf8');`,
      'handlers/rates.ts': `import { defineHandler } from 'tasker-core';
        import settings from './deep/settings.json' with { type: 'json' };
        import { rates } from './deep/_read.ts';
        export default defineHandler('rates', {}, () => ({ rates: rates(), factor: settings.factor, here: import.meta.dirname, file: import.meta.filename }));`,
    });
    const here = path.join(root, 'handlers');
    const { registry } = await discover(root);
    expect(await run(registry, 'rates')).toEqual({
      rates: 'EUR,1',
      factor: 3,
      here,
      file: path.join(here, 'rates.ts'),
    });
  });

  it('reloads only changed code', async () => {
    const root = project({
      'handlers/same.ts': `import { defineHandler } from 'tasker-core';\nlet n = 0;\nexport default defineHandler('same', {}, () => ++n);`,
      'handlers/changed.ts': greet('changed', '1'),
    });
    const { registry } = await discover(root);
    expect([await run(registry, 'same'), await run(registry, 'changed')]).toEqual([{ result: 1 }, { value: 1 }]);

    write(root, { 'handlers/changed.ts': greet('changed', '2'), 'handlers/added.ts': greet('added') });
    await discover(root, registry);
    expect([await run(registry, 'same'), await run(registry, 'changed')]).toEqual([{ result: 2 }, { value: 2 }]);
    expect(registry.listHandlers()).toEqual(['added', 'changed', 'same']);
  });

  it('uses one instance of an installed package, like Node', async () => {
    const root = project({
      'node_modules/pkg/package.json':
        '{"name":"pkg","exports":{"import":"./esm.mjs","module":"./wrong.mjs","default":"./cjs.cjs"}}',
      'node_modules/pkg/esm.mjs': 'export const state = { kind: "esm" };',
      'node_modules/pkg/wrong.mjs': 'export const state = { kind: "wrong" };',
      'node_modules/pkg/cjs.cjs': 'exports.state = { kind: "cjs" };',
      'handlers/a.ts': `import { state } from 'pkg';\nimport os from 'os';\n${greet('a', '[state.kind, typeof os.cpus]')}`,
      'handlers/optional.ts': `import { defineHandler } from 'tasker-core';
        export default defineHandler('optional', {}, () => import('not-installed').catch(() => 'absent'));`,
    });
    const { registry } = await discover(root);
    expect(await run(registry, 'a')).toEqual({ value: ['esm', 'function'] });
    expect(await run(registry, 'optional')).toEqual({ result: 'absent' });
  });

  it('resolves import paths of tsconfig, imports of package.json and the name of the project itself', async () => {
    const root = project({
      'package.json':
        '{"name":"shop","type":"module","exports":{"./tax":"./lib/tax.js"},"imports":{"#rate":"./lib/rate.ts"}}',
      'tsconfig.json': '{"compilerOptions":{"paths":{"@lib/*":["./lib/*"]}}}',
      'lib/rate.ts': 'export const rate: number = 2;',
      'lib/fee.ts': 'export const fee: number = 3;',
      'lib/tax.js': 'export const tax = 4;',
      'handlers/a.ts': `import { rate } from '#rate';\nimport { fee } from '@lib/fee';\nimport { tax } from 'shop/tax';\n${greet('a', '[rate, fee, tax]')}`,
    });
    expect(await run((await discover(root)).registry, 'a')).toEqual({ value: [2, 3, 4] });
  });

  it('removes bundles that were unused for a week', async () => {
    const root = project({ 'handlers/a.ts': greet('a') });
    await discover(root);
    const cache = path.join(root, 'node_modules', '.cache', 'tasker');
    const [folder = ''] = readdirSync(cache);
    const bundles = () => readdirSync(path.join(cache, folder)).filter((name) => name !== 'manifest.json');
    const [current = ''] = bundles();
    const old = new Date('2020-01-01');
    for (const name of ['old.mjs', 'young.mjs', current]) {
      const file = path.join(cache, folder, name);
      if (name !== current) writeFileSync(file, '');
      if (name !== 'young.mjs') utimesSync(file, old, old);
    }
    await discover(root);
    expect(bundles().sort()).toEqual([current, 'young.mjs']);
  });

  it('accepts a single file or an empty folder', async () => {
    const root = project({ 'handlers/a.ts': greet('a'), 'handlers/b.ts': greet('b'), 'empty/x.txt': '' });
    const registry = new HandlerRegistry();
    expect((await discoverHandlers(path.join(root, 'handlers', 'a.ts'), { registry })).count).toBe(1);
    expect(registry.listHandlers()).toEqual(['a']);
    expect(await discoverHandlers(path.join(root, 'empty'), { registry })).toEqual({ count: 0, files: [] });
  });

  it('reports both files if two files have handlers of the same name', async () => {
    const root = project({ 'handlers/a.ts': greet('same', '1'), 'handlers/b.ts': greet('same', '2') });
    const { registry, count, lines } = await discover(root);
    expect(count).toBe(1);
    expect(await run(registry, 'same')).toEqual({ value: 2 });
    const warnings = lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
    expect(warnings).toEqual([
      `handler same is in both ${root}/handlers/a.ts and ${root}/handlers/b.ts; the second one is used`,
    ]);
  });
});

describe('discovery', () => {
  it('finds each handler in exported arrays and plain objects once', async () => {
    const root = project({
      'handlers/list.ts': `import { defineHandler } from 'tasker-core';
        const a = defineHandler('a', {}, () => 1);
        export const all = [a, defineHandler('b', {}, () => 2), 'text', null];
        export default { a, c: defineHandler('c', {}, () => 3), nothing: null };`,
    });
    const { count, registry } = await discover(root);
    expect([count, registry.listHandlers()]).toEqual([3, ['a', 'b', 'c']]);
  });

  it('returns the number of handlers if it is called as a method of the registry', async () => {
    const root = project({ 'handlers/a.ts': greet('a'), 'handlers/b.ts': greet('b') });
    const registry = new HandlerRegistry();
    expect(await registry.discoverHandlers(path.join(root, 'handlers'))).toBe(2);
    expect(registry.handlerCount()).toBe(2);
  });
});

describe('a handler by file or package', () => {
  const PACKAGE = {
    'node_modules/@shop/handlers/package.json':
      '{"name":"@shop/handlers","exports":{".":{"import":"./index.mjs","require":"./index.cjs"},"./billing":"./billing.mjs"}}',
    'node_modules/@shop/handlers/index.mjs': greet('packed'),
    'node_modules/@shop/handlers/index.cjs': 'throw new Error("the wrong one");',
    'node_modules/@shop/handlers/billing.mjs': greet('billing'),
  };
  const registryIn = (root: string) => new HandlerRegistry({ baseFolder: path.join(root, 'handlers') });

  it('is the default export, or else the first handler with a name', async () => {
    const root = project({
      ...PACKAGE,
      'handlers/billing/charge.ts': greet('charge'),
      'handlers/refund/index.ts': `import { StepHandler } from 'tasker-core';
        export const help = () => 1;
        export default class extends StepHandler { call() { return this.success({ refunded: true }); } }`,
    });
    const registry = registryIn(root);
    expect(await run(registry, './billing/charge')).toEqual({ value: 'charge' });
    expect(await run(registry, './billing/charge.ts')).toEqual({ value: 'charge' });
    expect(await run(registry, './refund')).toEqual({ refunded: true });
    expect(await registry.resolve('./refund')).not.toBe(await registry.resolve('./refund'));
    expect(await run(registry, '@shop/handlers')).toEqual({ value: 'packed' });
    expect(await run(registry, '@shop/handlers/billing')).toEqual({ value: 'billing' });
  });

  it('is not found outside the folder, or in a file that discovery skips', async () => {
    const root = project({
      'outside.ts': 'throw new Error("imported");',
      'handlers-too/x.ts': 'throw new Error("imported");',
      'handlers/_private.ts': 'throw new Error("imported");',
      'handlers/.hidden/x.ts': 'throw new Error("imported");',
      'handlers/a.test.ts': 'throw new Error("imported");',
      'handlers/data.json': '{}',
      'handlers/node_modules/p/index.js': 'throw new Error("imported");',
      'node_modules/bare/index.js': 'throw new Error("imported");',
    });
    symlinkSync(path.join(root, 'outside.ts'), path.join(root, 'handlers', 'link.ts'));
    symlinkSync(path.join(root, 'handlers-too'), path.join(root, 'handlers', 'folder'));
    const registry = registryIn(root);
    for (const callable of ['./link', './folder/x']) {
      await expect(registry.resolve(callable), callable).rejects.toMatchObject({
        code: 'handler_invalid',
        retryable: false,
        message: expect.stringContaining(`callable ${callable} is outside ${root}/handlers`),
      });
    }
    const passedOver = ['./_private', './.hidden/x', './a.test.ts', './data.json', './node_modules/p/index.js'];
    const others = ['bare', path.join(root, 'outside.ts'), 'file:///etc/passwd', './none', '@shop/none', './', '@shop/../bare']; // biome-ignore format: one line
    for (const callable of [...passedOver, ...others]) {
      expect(await registry.resolve(callable), callable).toBeNull();
    }
  });

  it('is rejected if a part of its path is empty or `..`, or contains characters of URLs and Windows paths', async () => {
    const thrown = 'throw new Error("imported");';
    const root = project({
      ...PACKAGE,
      'outside.cjs': thrown,
      'outside.ts': thrown,
      'handlers/a.ts': greet('a'),
      'node_modules/bare/index.js': thrown,
    });
    const registry = registryIn(root);
    const upwards = ['../outside', './../outside.ts', './a/../../outside', '../handlers/a', './b/../a', '..//'];
    const throughPackages = [
      '@no/such/../../../../outside.cjs',
      '@shop/handlers/../../../outside.cjs',
      '@shop/handlers/../../bare/index.js',
      '@shop/handlers/..',
    ];
    const empty = ['.//a', './a/', '@shop/handlers//billing', '@shop/handlers/'];
    const odd = ['./..\\outside.ts', '@shop/h\\..\\..\\outside.cjs', './%2e%2e/outside.ts', '@shop/handlers/%2e%2e/%2e%2e/%2e%2e/outside.cjs', './a.ts?x', './a.ts#x', './a.ts\0', './C:/a.ts', './a\n.ts']; // biome-ignore format: one line
    for (const callable of [...upwards, ...throughPackages, ...empty, ...odd]) {
      await expect(registry.resolve(callable), callable).rejects.toMatchObject({
        code: 'handler_invalid',
        retryable: false,
        message: expect.stringMatching(/^callable .* (contains \.\.|has an empty part|has the character) /),
      });
    }
  });

  it('is not loaded from a package that is not installed, or from a file outside its package', async () => {
    const thrown = 'throw new Error("imported");';
    const root = project({
      'outside.cjs': thrown,
      'handlers/a.ts': greet('a'),
      'src/mapped.js': thrown,
      'tsconfig.json': '{"compilerOptions":{"paths":{"@mapped/*":["./src/*"]}}}',
      'node_modules/@shop/escapes/package.json': '{"name":"@shop/escapes","main":"../../../outside.cjs"}',
      'node_modules/@shop/links/package.json': '{"name":"@shop/links"}',
      'node_modules/@shop/links/data.json': '{}',
      'node_modules/@shop/links/node_modules/bare/index.js': thrown,
      'workspace/handlers/package.json': '{"name":"@shop/workspace","type":"module","main":"./index.js"}',
      'workspace/handlers/index.js': greet('workspace'),
    });
    const packages = path.join(root, 'node_modules', '@shop');
    symlinkSync(path.join(root, 'outside.cjs'), path.join(packages, 'links', 'link.cjs'));
    symlinkSync(path.join(root, 'workspace', 'handlers'), path.join(packages, 'workspace'));
    symlinkSync(path.join(root, 'nowhere'), path.join(packages, 'dangling'));
    const registry = registryIn(root);
    for (const callable of [
      '@no/such',
      '@no/such/outside.cjs',
      '@mapped/mapped',
      '@shop/dangling/x',
      `@shop/${'x'.repeat(5_000)}`,
    ]) {
      expect(await registry.resolve(callable), callable).toBeNull();
    }
    for (const callable of ['@shop/links/link.cjs', '@shop/escapes', '@shop/links/node_modules/bare/index.js']) {
      await expect(registry.resolve(callable), callable).rejects.toMatchObject({
        code: 'handler_invalid',
        message: expect.stringContaining(`callable ${callable} is outside ${packages}`),
      });
    }
    expect(await registry.resolve('@shop/links/data.json')).toBeNull();
    // Workspaces and pnpm install packages as links.
    expect(await run(registry, '@shop/workspace')).toEqual({ value: 'workspace' });
  });

  it('is found below the working directory if no base folder is set', async () => {
    const root = project({
      ...PACKAGE,
      'project/node_modules/@shop/inner/package.json': '{"name":"@shop/inner","exports":"./index.mjs"}',
      'project/node_modules/@shop/inner/index.mjs': greet('inner'),
      'project/node_modules/bare/index.mjs': 'throw new Error("imported");',
      'project/handlers/a.ts': greet('a'),
      'outside.ts': 'throw new Error("imported");',
    });
    const callables = [
      './handlers/a',
      '@shop/inner',
      '@shop/handlers/billing',
      '../outside',
      './node_modules/bare/index.mjs',
      'bare',
      path.join(root, 'project/handlers/a.ts'),
      `./${path.relative('/', path.join(root, 'project/handlers/a'))}`,
    ];
    const script = `
      import { HandlerRegistry } from ${JSON.stringify(pathToFileURL(path.join(packageFolder, 'index.js')).href)};
      const found = (callable) => new HandlerRegistry().resolve(callable).then((one) => one?.name ?? null, ({ message }) => message);
      console.log(JSON.stringify(await Promise.all(${JSON.stringify(callables)}.map(found))));`;
    const foundIn = async (cwd: string) => {
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd });
      return JSON.parse(stdout) as unknown;
    };
    // In the root of the file system, any file of the disk would be below the working directory.
    expect(await foundIn(path.parse(root).root)).toEqual(callables.map(() => null));
    expect(await foundIn(path.join(root, 'project'))).toEqual([
      'a',
      'inner',
      'billing',
      expect.stringContaining('callable "../outside" contains ..'),
      null,
      null,
      null,
      null,
    ]);
  });

  it('is not found if the base folder is null, or the handlers are a list', async () => {
    const root = project({ ...PACKAGE, 'handlers/a.ts': greet('a') });
    const here = path.relative('.', path.join(root, 'handlers/a'));
    const closed = new HandlerRegistry({ baseFolder: null });
    const found = new DiscoveredSubscribers(eventRegistries({}, silentLogger));
    for (const registry of [closed, (await loadHandlers([], { logger: silentLogger, found })).registry]) {
      for (const callable of [`./${here}`, '@shop/handlers', './test/support/setup']) {
        expect(await registry.resolve(callable), callable).toBeNull();
      }
    }
  });

  it('is rejected if its file has no handler, does not compile, or throws', async () => {
    const root = project({
      'handlers/none.ts': 'export const add = 1;',
      'handlers/broken.ts': 'const = 1;',
      'handlers/throws.ts': 'throw new Error("no configuration");',
    });
    const registry = registryIn(root);
    await expect(registry.resolve('./none')).rejects.toThrow(/none\.ts exports no handler: .* it exports add/);
    await expect(registry.resolve('./throws')).rejects.toThrow(/throws\.ts could not be imported: no configuration/);
    await expect(registry.resolve('./broken')).rejects.toMatchObject({ code: 'handler_invalid', retryable: false });
  });

  it('is reloaded if it has changed and the registry was refreshed', async () => {
    const root = project({ 'handlers/a.ts': greet('a', '1') });
    const registry = registryIn(root);
    expect(await run(registry, './a')).toEqual({ value: 1 });
    write(root, { 'handlers/a.ts': greet('a', '2') });
    registry.refresh();
    expect(await run(registry, './a')).toEqual({ value: 2 });
  });
});

describe('a folder that cannot be discovered', () => {
  it('reports file, line and column of a syntax error', async () => {
    const root = project({ 'handlers/broken.ts': 'export const a = 1;\nconst b = = 2;\n' });
    await expect(discover(root)).rejects.toMatchObject({
      code: 'handler_invalid',
      message: `handlers: ${root}/handlers/broken.ts:2:11: Unexpected "="`,
      details: { file: `${root}/handlers/broken.ts` },
    });
  });

  it('reports an import that cannot be resolved', async () => {
    const root = project({
      'handlers/a.ts': `import x from 'no-such-package';\nimport './nowhere.ts';\nexport default x;`,
    });
    const message = await discover(root).catch((error: Error) => error.message);
    expect(message).toContain(`${root}/handlers/a.ts:1:15: Could not resolve "no-such-package"`);
    expect(message).toContain(`${root}/handlers/a.ts:2:8: Could not resolve "./nowhere.ts"`);
  });

  it('reports the path and the cause of a file that throws on import', async () => {
    const root = project({
      'handlers/bad.ts': 'throw new TypeError("no configuration");',
      'handlers/good.ts': greet('good'),
    });
    await expect(discover(root)).rejects.toMatchObject({
      code: 'handler_invalid',
      message: `handlers file ${root}/handlers/bad.ts could not be imported: no configuration`,
      cause: expect.any(TypeError),
    });
  });

  it('reports the line of an import that does not exist in a module', async () => {
    const root = project({
      'handlers/a.ts': `import { join } from 'node:path';\nimport { nope } from 'node:fs';\nnope(join);`,
    });
    await expect(discover(root)).rejects.toThrow(/handlers\/a\.ts:2:10: could not be imported: .*export named 'nope'/);
  });

  it('reports a missing folder, and suggests a path instead of a dotted name', async () => {
    const registry = new HandlerRegistry();
    await expect(discoverHandlers('./no/such/folder', { registry })).rejects.toMatchObject({
      code: 'handler_not_found',
    });
    await expect(discoverHandlers('myapp.handlers', { registry })).rejects.toThrow('./myapp/handlers');
  });
});

describe('in a separate process', () => {
  const execute = async (root: string, script: string): Promise<string> => {
    write(root, { 'main.mjs': script });
    const { stdout } = await promisify(execFile)(process.execPath, ['main.mjs'], { cwd: root });
    return stdout;
  };

  it('discovery finds an installed package by its name from the current folder', async () => {
    const root = project({
      'node_modules/@shop/handlers/package.json': '{"name":"@shop/handlers","type":"module","exports":"./index.js"}',
      'node_modules/@shop/handlers/index.js': `${greet('one')}export const two = defineHandler('two', {}, () => 2);`,
    });
    const out = await execute(
      root,
      `import { discoverHandlers, HandlerRegistry } from 'tasker-core';
       const registry = new HandlerRegistry();
       console.log(JSON.stringify(await discoverHandlers('@shop/handlers', { registry })));`,
    );
    expect(JSON.parse(out)).toEqual({ count: 2, files: [{ file: '@shop/handlers', handlers: ['one', 'two'] }] });
  });

  it('stack traces show lines of the source files, and the process exits on its own', async () => {
    const root = project({
      'handlers/_deep.ts': `interface Order {\n  id: string;\n}\nexport function deep(order: Order): never {\n  throw new Error(order.id);\n}\n`,
      'handlers/fails.ts': `import { defineHandler } from 'tasker-core';\nimport { deep } from './_deep.ts';\n\nexport default defineHandler('fails', {}, () => deep({ id: 'O-7' }));\n`,
    });
    const out = await execute(
      root,
      `import { discoverHandlers, HandlerRegistry, StepContext } from 'tasker-core';
       const registry = new HandlerRegistry();
       await discoverHandlers('./handlers', { registry });
       const result = await registry.resolveSync('fails').call(new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'fails' }));
       console.log(result.backtrace.join('\\n'));`,
    );
    expect(out).toContain('handlers/_deep.ts:5:9');
    expect(out).toContain('handlers/fails.ts:4:49');
  });

  it.each([0o700, 0o777])(
    'discovery keeps bundles where no other user can write if node_modules is read-only (temporary folder: %o)',
    async (mode) => {
      const root = project({ 'handlers/a.ts': greet('a') });
      // A file replaces the cache folder, so even root can't write to the folder.
      write(root, { 'node_modules/.cache': '' });
      const temporary = path.join(root, 'tmp');
      mkdirSync(temporary);
      const usual = `tasker-${process.getuid?.()}`;
      mkdirSync(path.join(temporary, usual));
      chmodSync(path.join(temporary, usual), mode);
      const out = await execute(
        root,
        `import os from 'node:os';
       process.env.TMPDIR = ${JSON.stringify(temporary)};
       const { discoverHandlers, HandlerRegistry } = await import('tasker-core');
       const registry = new HandlerRegistry();
       await discoverHandlers('./handlers', { registry });
       console.log(registry.listHandlers().join());`,
      );
      expect(out).toBe('a\n');
      // A folder that others can write to is not used, but it is not deleted.
      expect(readdirSync(temporary).length).toBe(mode === 0o700 ? 1 : 2);
      expect(readdirSync(path.join(temporary, usual)).length).toBe(mode === 0o700 ? 1 : 0);
    },
  );
});

it('200 files are discovered in about a second', async () => {
  let round = 0;
  // Each round has files that were never compiled.
  const discovery = () => {
    round++;
    const names = Array.from({ length: 200 }, (_, n) => `h${n}_${round}`);
    const root = project(Object.fromEntries(names.map((name) => [`handlers/${name}.ts`, greet(name)])));
    return idleMsOf(async () => expect((await discover(root)).count).toBe(200));
  };
  // The bound is generous for a busy machine; see the printed figure.
  const took = await leastOf(5_000, discovery, 5);
  console.log(`200 files discovered in ${Math.round(took)} ms`);
  expect(took).toBeLessThan(5_000);
});
