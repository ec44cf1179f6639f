// Brings the JavaScript in dist up to date without checking types: a changed file takes milliseconds, where the compiler
// takes half a minute for a file that many others import. `npm run build` checks types and writes declarations.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

function modifiedAt(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Returns the TypeScript files of a folder, by their paths from it and without their ending. */
function modulesOf(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -'.ts'.length));
}

/**
 * Transpiles the changed files of `src` in the folder `root`, and removes those whose source is gone.
 * @throws if a file does not parse
 */
export function transpile(root) {
  const [src, dist] = [path.join(root, 'src'), path.join(root, 'dist')];
  const { options } = ts.getParsedCommandLineOfConfigFile(
    path.join(root, 'tsconfig.build.json'),
    { incremental: false, tsBuildInfoFile: undefined, declaration: false },
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
  );
  const modules = modulesOf(src);
  const problems = [];
  for (const each of modules) {
    const [from, to] = [path.join(src, `${each}.ts`), path.join(dist, `${each}.js`)];
    if (modifiedAt(from) < modifiedAt(to)) continue;
    const { outputText, diagnostics } = ts.transpileModule(readFileSync(from, 'utf8'), {
      // It does not read package.json, so it would take nodenext for CommonJS.
      compilerOptions: { ...options, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
      fileName: from,
      reportDiagnostics: true,
    });
    problems.push(...diagnostics);
    mkdirSync(path.dirname(to), { recursive: true });
    writeFileSync(to, outputText);
  }
  if (problems.length > 0) {
    const host = { getCurrentDirectory: () => root, getCanonicalFileName: (name) => name, getNewLine: () => '\n' };
    throw new Error(ts.formatDiagnostics(problems, host));
  }
  const known = new Set(modules);
  for (const file of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    const isOurs = file.endsWith('.js') && !file.startsWith(`bundle${path.sep}`);
    if (isOurs && !known.has(file.slice(0, -'.js'.length))) rmSync(path.join(dist, file));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    transpile(path.dirname(import.meta.dirname));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
