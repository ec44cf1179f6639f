import { existsSync, readFileSync, statSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** Returns every name that a file declares: functions, classes, methods, fields, types. */
function declaredIn(file: string): Set<string> {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    const { name } = node as { name?: ts.Node };
    if (name && (ts.isIdentifier(name) || ts.isPrivateIdentifier(name))) names.add(name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

const PATH = /^(?:src|test|scripts|bench|docs|migrations|examples)\/[\w./-]+$/;
/** NOUN in `src/contract/NOUN.ts` stands for any noun. */
const exists = (path: string) => existsSync(path.replace(/\/NOUN\b.*$/, ''));
const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
/** Names in SQL contain underscores and are not checked. */
const NAME = /^#?[A-Za-z][A-Za-z0-9]*(?:\.#?[A-Za-z0-9]+)*$|^[A-Z_]+$/;

/**
 * Returns the names in a page that do not exist. In a list item, a name belongs to the first file of the item, or to the
 * file after `of`.
 */
function missingOf(page: string): string[] {
  const text = readFileSync(page, 'utf8').replaceAll('\r\n', '\n');
  const items = text.replace(/^```[\s\S]*?^```/gm, (code) => code.replace(/[^\n]/g, '')).split(/^(?=(?:\d+\.|-) |\n)/m);
  return items.flatMap((item) => {
    const spans = [...item.matchAll(/(\bof )?`([^`\n]+)`/g)].map(([, of, span]) => ({
      of: of !== undefined,
      span: span!,
    }));
    const paths = spans.filter(({ span }) => PATH.test(span));
    const missing = paths.filter(({ span }) => !exists(span)).map(({ span }) => `${span} does not exist`);
    const [first] = paths;
    if (!/^(?:\d+\.|-) `src\//.test(item) || !first || !isFile(first.span)) return missing;
    let file = first.span;
    let names: string[] = [];
    const absent: string[] = [];
    const check = () => {
      const declared = declaredIn(file);
      for (const name of names) {
        for (const part of name.split('.')) if (!declared.has(part)) absent.push(`${file} does not declare ${name}`);
      }
      names = [];
    };
    for (const { of, span } of spans.slice(1)) {
      if (PATH.test(span)) {
        const last = of ? names.splice(-1) : [];
        check();
        file = span;
        names = last;
        if (!isFile(file)) return [...missing, ...absent];
      } else if (NAME.test(span)) names.push(span);
    }
    check();
    return [...missing, ...absent];
  });
}

describe('the map of the source', () => {
  it('docs/internals.md names only files and functions that exist', () => {
    expect(missingOf('docs/internals.md')).toEqual([]);
  });

  it('CONTRIBUTING.md names only files that exist', () => {
    expect(missingOf('CONTRIBUTING.md')).toEqual([]);
  });
});
