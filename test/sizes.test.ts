import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

/** Files, functions and folders above these limits are hard to read. Split them by subject. */
const LINES_OF_FILE = 500;
const LINES_OF_FUNCTION = 80;
const FILES_OF_FOLDER = 25;

/** These still have to be split. Add no entry, and remove an entry once its file is split. */
const LONG_FILES: string[] = [];
const LONG_FUNCTIONS: string[] = [];
const FULL_FOLDERS: string[] = [];

const OURS = /\.(?:ts|mts|mjs|sql)$/;

/** The folders of src and test, each with the files directly in it. */
const folders = new Map<string, string[]>();
for (const root of ['src', 'test']) {
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const folder = entry.parentPath.replaceAll(path.sep, '/');
    if (!entry.isFile() || /node_modules|\.tasker/.test(folder)) continue;
    folders.set(folder, [...(folders.get(folder) ?? []), entry.name]);
  }
}
const files = [...folders]
  .flatMap(([folder, names]) => names.map((name) => `${folder}/${name}`))
  .filter((file) => OURS.test(file))
  .sort();

/** Returns the lines of a function without template strings, which contain SQL and programs of tests. */
function linesOf(node: ts.Node, source: ts.SourceFile): number {
  const line = (position: number) => source.getLineAndCharacterOfPosition(position).line;
  let inTexts = 0;
  const visit = (each: ts.Node): void => {
    if (ts.isTemplateLiteral(each)) inTexts += line(each.end) - line(each.getStart(source));
    else ts.forEachChild(each, visit);
  };
  const all = line(node.end) - line(node.getStart(source)) + 1;
  if (all > LINES_OF_FUNCTION) visit(node);
  return all - inTexts;
}

/** Returns whether a function is passed to `describe` or `it`. Such a function may be long, because it lists tests. */
function isBodyOfTest(node: ts.Node): boolean {
  return ts.isCallExpression(node.parent) && /^(?:describe|it)(?:With|Once)?\b/.test(node.parent.expression.getText());
}

function hasLongFunction(file: string): boolean {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  const visit = (node: ts.Node): boolean =>
    (ts.isFunctionLike(node) && !isBodyOfTest(node) && linesOf(node, source) > LINES_OF_FUNCTION) ||
    (ts.forEachChild(node, (child) => visit(child) || undefined) ?? false);
  return visit(source);
}

it(`no file is longer than ${LINES_OF_FILE} lines`, () => {
  const long = files.filter((file) => readFileSync(file, 'utf8').split('\n').length - 1 > LINES_OF_FILE);
  expect(long).toEqual(LONG_FILES);
});

it(`no function is longer than ${LINES_OF_FUNCTION} lines, except for SQL`, () => {
  expect(files.filter((file) => file.endsWith('.ts')).filter(hasLongFunction)).toEqual(LONG_FUNCTIONS);
});

it(`no folder has more than ${FILES_OF_FOLDER} files`, () => {
  const full = [...folders].filter(([, names]) => names.length > FILES_OF_FOLDER);
  expect(full.map(([folder]) => folder)).toEqual(FULL_FOLDERS);
});
