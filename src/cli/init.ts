import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pc from 'picocolors';
import { type FirstFile, firstFiles } from './first-files.ts';
import { folderError } from './folder-error.ts';
import type { GlobalOptions } from './options.ts';
import { note, print, printJson } from './output.ts';
import { addScripts, readPackage } from './package-json.ts';

/** `tasker init`: a first workflow into the current project. What is there already is left as it is. */
export async function init({ json }: GlobalOptions): Promise<void> {
  const project = await readPackage(process.cwd());
  const { files, runTest } = firstFiles(project);
  const written: string[] = [];
  const kept: string[] = [];
  try {
    for (const file of files) ((await writeNew(file)) ? written : kept).push(file.path);
    const scripts = await addScripts(project, { dev: 'tasker dev', worker: 'tasker worker' });
    if (scripts.length > 0) written.push(`package.json (scripts ${scripts.join(', ')})`);
  } catch (error) {
    throw folderError(process.cwd(), error);
  }
  const next = [...(project.dependsOnUs ? [] : ['npm install tasker-core']), 'npx tasker dev', runTest];
  if (json) {
    printJson({ written, kept, next });
    return;
  }
  for (const file of written) print(`${pc.green('wrote')}  ${file}`);
  for (const file of kept) print(`${pc.dim('kept')}   ${file}, which was there`);
  if (kept.includes('.gitignore') && !(await readFile('.gitignore', 'utf8')).includes('.tasker'))
    note('add .tasker/ to .gitignore: the embedded database lives there');
  note(['', 'next:', ...next.map((command) => `  ${command}`)].join('\n'));
}

async function writeNew({ path: file, text }: FirstFile): Promise<boolean> {
  if (existsSync(file)) return false;
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text, { flag: 'wx' });
  return true;
}
