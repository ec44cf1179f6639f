import { scanToml } from './scan-toml.ts';

const KEY = /^\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w-]+))*)\s*=/;
const HEADER = /^\s*\[{1,2}\s*([^\]]+?)\s*\]{1,2}/;
const PART = /"((?:[^"\\]|\\.)*)"|'([^']*)'|([\w-]+)/g;

/**
 * Returns the 1-based line of each key and table of a TOML text, by its dotted path. The tables of a list have numbers
 * in the path. The parser does not report lines.
 */
export function locateKeys(text: string): Map<string, number> {
  const lines = new Map<string, number>();
  const listed = new Map<string, number>();
  let table: string[] = [];
  const note = (path: readonly string[], line: number) => {
    for (let length = 1; length <= path.length; length++) {
      const name = path.slice(0, length).join('.');
      if (length === path.length || !lines.has(name)) lines.set(name, line);
    }
  };
  for (const { source, line } of statementLines(text)) {
    const header = HEADER.exec(source);
    const key = header ? null : KEY.exec(source);
    if (header) {
      table = tableOf(partsOf(header[1]!), { isOfList: /^\s*\[\[/.test(source), listed });
      note(table, line);
    } else if (key) note([...table, ...partsOf(key[1]!)], line);
  }
  return lines;
}

/** Returns the path of a table. `listed` counts the tables of each list. A later header refers to the last table. */
function tableOf(
  parts: readonly string[],
  { isOfList, listed }: { isOfList: boolean; listed: Map<string, number> },
): string[] {
  const path: string[] = [];
  for (const [at, part] of parts.entries()) {
    path.push(part);
    const name = path.join('.');
    const count = listed.get(name);
    if (at < parts.length - 1 && count !== undefined) path.push(String(count - 1));
    if (at < parts.length - 1 || !isOfList) continue;
    path.push(String(count ?? 0));
    listed.set(name, (count ?? 0) + 1);
  }
  return path;
}

const partsOf = (dotted: string): string[] =>
  [...dotted.matchAll(PART)].map(([, basic, literal, bare]) => basic ?? literal ?? bare ?? '');

/** Returns the lines on which a statement begins, without those inside a multi-line text or list. */
function statementLines(text: string): { source: string; line: number }[] {
  const inside = new Set<number>();
  let depth = 0;
  for (const { kind, start, end } of scanToml(text)) {
    for (let at = start; at < end; at++) {
      if (kind === 'code' && (text[at] === '[' || text[at] === '{')) depth++;
      else if (kind === 'code' && (text[at] === ']' || text[at] === '}')) depth--;
      else if (text[at] === '\n' && (depth > 0 || kind === 'basic' || kind === 'literal')) inside.add(at + 1);
    }
  }
  const found: { source: string; line: number }[] = [];
  let offset = 0;
  for (const [index, source] of text.split('\n').entries()) {
    if (!inside.has(offset)) found.push({ source, line: index + 1 });
    offset += source.length + 1;
  }
  return found;
}

/** Returns the line of a key, else the line of the table or value that contains it. */
export function lineOf(lines: ReadonlyMap<string, number>, path: string): number | undefined {
  for (let name = path; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
    const line = lines.get(name);
    if (line !== undefined) return line;
  }
  return undefined;
}
