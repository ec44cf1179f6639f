import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { folderError } from '../show/write-output.ts';
import { inFolder, thisRun } from '../this-run.ts';
import { commonJsAdvice, type FirstFile, firstFiles } from './first-files.ts';
import { addScripts, readPackage } from './package-json.ts';

interface InitOptions extends GlobalOptions {
  typescript?: boolean;
}

/** `tasker init`: adds a first workflow to the current project. Existing files are kept. */
export async function init({ json, typescript = false }: InitOptions): Promise<void> {
  const found = await readPackage(thisRun().cwd);
  const project = { ...found, usesTypeScript: found.usesTypeScript || typescript };
  const { files, testScript, runTest } = firstFiles(project);
  let testCommand = runTest;
  const written: string[] = [];
  const kept: string[] = [];
  try {
    for (const file of files) {
      const known = existingForm(file.path);
      if (known === undefined) written.push(await write(file));
      else {
        kept.push(known);
        testCommand = testCommand.replace(file.path, known);
      }
    }
    const scripts = await addScripts(project, { dev: 'tasker dev', worker: 'tasker worker', test: testScript });
    if (scripts.length > 0) written.push(`package.json (scripts ${scripts.join(', ')})`);
  } catch (error) {
    throw folderError(thisRun().cwd, error);
  }
  const next = [...(project.dependsOnUs ? [] : ['npm install tasker-core']), 'npx tasker-core dev', testCommand];
  const advice = commonJsAdvice(project, written);
  if (json) {
    printJson({ written, kept, next, advice: advice ?? null });
    return;
  }
  for (const file of written) print(`${pc.green('wrote')}  ${file}`);
  for (const file of kept) print(`${pc.dim('kept')}   ${file} (already exists)`);
  if (kept.includes('.gitignore') && !(await readFile(inFolder('.gitignore'), 'utf8')).includes('.tasker'))
    note('add .tasker/, which holds the embedded database, to .gitignore');
  if (advice !== undefined) note(advice);
  note(['', 'next:', ...next.map((command) => `  ${command}`)].join('\n'));
}

/** Finds the file, or the same file with another extension, so that a renamed handler is not written twice. */
function existingForm(file: string): string | undefined {
  const ending = /\.m?[jt]s$/;
  const forms = ending.test(file) ? ['.ts', '.mts', '.js', '.mjs'].map((one) => file.replace(ending, one)) : [file];
  return [file, ...forms].find((one) => existsSync(inFolder(one)));
}

async function write({ path: file, text }: FirstFile): Promise<string> {
  await mkdir(path.dirname(inFolder(file)), { recursive: true });
  await writeFile(inFolder(file), text, { flag: 'wx' });
  return file;
}
