// Lists all mutants of the sources, and draws a seeded sample: two thirds TypeScript, one third SQL.
import ts from 'typescript';
import { LOOKS_LIKE_SQL, sqlMutants } from './sql.mjs';
import { parse, typescriptMutants } from './typescript.mjs';

/** All mutants of a source file: `{ kind, file, start, end, replacement, operator, line }`. */
export function mutantsOf(file, text) {
  const isFileOfSql = file.endsWith('.sql');
  const inStore = file.startsWith('src/store/');
  const pieces = isFileOfSql ? [{ start: 0, end: text.length }] : inStore ? sqlPieces(file, text) : [];
  const isSql = (node) => pieces.some(({ start, end }) => start <= node.getStart() + 1 && node.end - 1 <= end);
  const sql = pieces.flatMap(({ start, end }) =>
    sqlMutants(text.slice(start, end)).map((edit) => ({
      ...edit,
      kind: 'sql',
      file,
      start: start + edit.start,
      end: start + edit.end,
    })),
  );
  const code = (isFileOfSql ? [] : typescriptMutants(file, text, isSql)).map((edit) => ({
    ...edit,
    kind: 'typescript',
  }));
  const seen = new Set();
  return [...code, ...sql]
    .map((mutant) => ({ ...mutant, line: text.slice(0, mutant.start).split('\n').length }))
    .filter((mutant) => {
      const id = idOf(mutant);
      return seen.has(id) ? false : seen.add(id);
    });
}

export const idOf = ({ file, start, end, replacement }) => `${file}@${start}-${end}:${replacement}`;

export function mutated(text, { start, end, replacement }) {
  return text.slice(0, start) + replacement + text.slice(end);
}

/**
 * Returns the positions of SQL in a source file: strings and parts of templates that look like SQL, except error
 * messages.
 */
function sqlPieces(file, text) {
  const source = parse(file, text);
  const pieces = [];
  const visit = (node) => {
    if (ts.isNewExpression(node) && /Error$/.test(node.expression.getText(source))) return;
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node)) return;
    const literal =
      ts.isStringLiteralLike(node) ||
      node.kind === ts.SyntaxKind.TemplateHead ||
      node.kind === ts.SyntaxKind.TemplateMiddle ||
      node.kind === ts.SyntaxKind.TemplateTail;
    if (literal && LOOKS_LIKE_SQL.test(node.text)) {
      const dollar = node.kind === ts.SyntaxKind.TemplateHead || node.kind === ts.SyntaxKind.TemplateMiddle;
      pieces.push({ start: node.getStart(source) + 1, end: node.end - (dollar ? 2 : 1) });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return pieces;
}

/** Pseudo-random numbers in [0, 1), the same for a seed on every machine (mulberry32). */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function shuffled(list, random) {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}

/**
 * Draws the sample. `valid` returns whether a mutant parses. A mutant that does not parse is replaced by the next one.
 */
export async function sample({ mutants, count, seed, valid }) {
  const random = randomOf(seed);
  const take = async (kind, wanted) => {
    const chosen = [];
    for (const mutant of shuffled(
      mutants.filter((each) => each.kind === kind),
      random,
    )) {
      if (chosen.length >= wanted) break;
      if (await valid(mutant)) chosen.push(mutant);
    }
    return chosen;
  };
  const sql = await take('sql', Math.round(count / 3));
  const code = await take('typescript', count - sql.length);
  return shuffled([...sql, ...code], random);
}
