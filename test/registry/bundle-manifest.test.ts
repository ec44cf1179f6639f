import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { bundleCache } from '../../src/registry/bundle-cache.ts';
import { bundleHandlers } from '../../src/registry/bundle-handlers.ts';
import { manifestFile } from '../../src/registry/bundle-manifest.ts';
import { handlerFiles } from '../../src/registry/handler-files.ts';

const FILES = {
  'package.json': '{"type":"module"}',
  'tsconfig.json': '{"compilerOptions":{"paths":{"@lib/*":["./lib/*"]}}}',
  'lib/rate.ts': 'export const rate: number = 2;',
  'node_modules/pkg/package.json': '{"name":"pkg","exports":"./pkg.mjs"}',
  'node_modules/pkg/pkg.mjs': 'export const kind = "pkg";',
  'handlers/a.ts': "import { rate } from '@lib/rate';\nimport { kind } from 'pkg';\nexport const a = [rate, kind];",
  'handlers/b.ts': "import { count } from './_count.js';\nexport const b = count;",
  'handlers/_count.js': 'export const count = 1;',
};

/** Creates a project whose files are an hour old. */
function projectOf(files: Record<string, string> = FILES) {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'tasker-manifest-')));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const write = (file: string, text: string) => {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  };
  for (const [file, text] of Object.entries(files)) write(file, text);
  const anHourAgo = Date.now() / 1000 - 3_600;
  for (const file of [...Object.keys(files), 'handlers', 'lib', '.'])
    utimesSync(path.join(root, file), anHourAgo, anHourAgo);
  const found = () => handlerFiles(path.join(root, 'handlers'));
  const manifest = manifestFile(bundleCache(path.join(root, 'handlers')));
  return { root, write, manifest, bundle: () => bundleHandlers(found()) };
}

/**
 * Creates a project whose handlers are bundled once. The manifest gets a file name that no build creates, so
 * `isLookedUp` can tell whether the next call only reads the manifest.
 */
async function bundledOnce(files?: Record<string, string>) {
  const kit = projectOf(files);
  const bundles = await kit.bundle();
  const text = readFileSync(kit.manifest, 'utf8');
  const { bundles: known } = JSON.parse(text) as { bundles: Record<string, string> };
  const [first, at] = Object.entries(known)[0]!;
  writeFileSync(
    kit.manifest,
    text.replace(`${JSON.stringify(first)}:${JSON.stringify(at)}`, `${JSON.stringify(first)}:"looked up"`),
  );
  const isLookedUp = async () => (await kit.bundle()).get(first) === 'looked up';
  return { ...kit, bundles, isLookedUp };
}

it('discovery reuses bundles while nothing has changed', async () => {
  const { isLookedUp } = await bundledOnce();
  expect(await isLookedUp()).toBe(true);
  expect(await isLookedUp()).toBe(true);
});

it.each([
  ['a handler changes', 'handlers/a.ts', 'export const a = 3;'],
  ['a handler is added', 'handlers/c.ts', 'export const c = 3;'],
  ['a module that is not a handler changes', 'lib/rate.ts', 'export const rate = 20;'],
  ['a file is added that takes precedence in an import', 'handlers/_count.ts', 'export const count = 2;'],
  [
    'import paths change in tsconfig',
    'tsconfig.json',
    '{"compilerOptions":{"paths":{"@lib/*":["./lib/*","./other/*"]}}}',
  ],
  ['packages are installed', 'node_modules/.package-lock.json', '{}'],
  ['a package that is not bundled changes', 'node_modules/pkg/pkg.mjs', 'export const kind = "another";'],
])('discovery builds again when %s', async (_, file, text) => {
  const { write, isLookedUp } = await bundledOnce();
  write(file, text);
  expect(await isLookedUp()).toBe(false);
});

it('discovery builds again if a bundle is missing or the manifest is incomplete', async () => {
  const { bundles, isLookedUp, manifest } = await bundledOnce();
  rmSync([...bundles.values()][1]!);
  expect(await isLookedUp()).toBe(false);
  writeFileSync(manifest, '{"by":');
  expect(await isLookedUp()).toBe(false);
});

it('discovery writes no manifest if files may have changed while they were read, or if their tsconfig extends another', async () => {
  const fresh = projectOf();
  fresh.write('handlers/b.ts', 'export const b = 2;');
  // The time is in the future, so that the file is still recent when a busy machine begins to read it.
  const inAMinute = Date.now() / 1000 + 60;
  utimesSync(path.join(fresh.root, 'handlers/b.ts'), inAMinute, inAMinute);
  await fresh.bundle();
  expect(() => readFileSync(fresh.manifest)).toThrow('ENOENT');
  const extended = projectOf({
    ...FILES,
    'tsconfig.json': '{"extends":"./base.json"}',
    'base.json': FILES['tsconfig.json'],
  });
  await extended.bundle();
  expect(() => readFileSync(extended.manifest)).toThrow('ENOENT');
});
