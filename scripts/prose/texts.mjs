// Finds the prose in a file: the paragraphs of a page, comments, and strings that people read.
import path from 'node:path';
import tseslint from 'typescript-eslint';

/**
 * Files that are not checked: the generated reference, the list of words to find, and migrations, whose texts can never
 * change.
 */
const NOT_PROSE = /^(?:migrations\/|docs\/reference\/|scripts\/prose\/)/;
const CODE = new Set(['.ts', '.mjs', '.js', '.cjs', '.tsx']);
const TITLES = new Set(['it', 'test', 'describe']);
const STARTS_LIKE_SQL = /^\s*(?:select|with|insert|update|delete|create|alter|drop|set|begin|copy|lock)\b/i;

/** Matches SQL in the middle of a statement, or a program in a string. */
const PROGRAM = /\w::text\b|\btasker\.\w+ \w|\bcross join\b|\brequire\(/;

/** Removes code, addresses and the marks of Markdown. */
function plain(text) {
  return text
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/`[^`\n]*`/g, 'code')
    .replace(/\{@link ([^}]*)\}/g, '$1')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/https?:\/\/\S+/g, 'address')
    .replace(/[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}/g, '');
}

/** Returns the sentences of a paragraph. */
export function sentencesOf(text) {
  return text
    .split(/(?<=[.!?]["')\]]*)\s+/u)
    .flatMap((part) => part.split(/\n\s*\n/))
    .map((part) => part.trim())
    .filter(Boolean);
}

/** Returns the paragraphs of a Markdown page without headings, tables and code. An item of a list is a paragraph. */
export function paragraphsOf(page) {
  return blocksOf(page).flatMap(({ heading, text }) => (heading ? [] : [text]));
}

/** Returns the rows of the tables of a Markdown page, each as one text. */
function rowsOf(page) {
  return withoutCode(page)
    .split('\n')
    .flatMap((line, index) =>
      /^[ \t]*\|/.test(line) ? [{ line: index + 1, kind: 'row', text: plain(line.replaceAll('|', ' ')) }] : [],
    );
}

const blank = (text) => text.replace(/[^\n]/g, '');
const withoutCode = (page) => page.replace(/^(`{3,}|~{3,})[\s\S]*?^\1.*$/gm, blank).replace(/<!--[\s\S]*?-->/g, blank);

function blocksOf(page) {
  const lines = withoutCode(page)
    .replace(/^[ \t]*\|.*$/gm, '')
    .split('\n');
  const found = [];
  let open;
  lines.forEach((line, index) => {
    const starts = /^\s*(?:[-*+]|\d+\.|#{1,6}|>)\s/.test(line);
    if (line.trim() === '' || /^\s*<\/?\w+[^>]*>\s*$/.test(line)) open = undefined;
    else if (open && !starts && !open.heading) open.text += ` ${line.trim()}`;
    else {
      open = {
        line: index + 1,
        heading: /^#/.test(line),
        text: line.replace(/^\s*(?:[-*+]|\d+\.|#{1,6}|>)\s/, '').trim(),
      };
      found.push(open);
    }
  });
  return found.map(({ line, heading, text }) => ({ line, heading, text: plain(text) }));
}

/** Returns comments; consecutive `//` lines are one. */
function commentsOf(comments) {
  const found = [];
  for (const comment of comments) {
    const text = comment.type === 'Line' ? comment.value : comment.value.replace(/^[ \t]*\*+ ?/gm, '');
    const previous = found.at(-1);
    const { start, end } = comment.loc;
    if (comment.type === 'Line' && previous?.next === start.line && previous.column === start.column) {
      previous.text += `\n${text.trim()}`;
      previous.next = end.line + 1;
    } else {
      const next = comment.type === 'Line' ? end.line + 1 : undefined;
      found.push({ line: start.line, column: start.column, next, kind: 'comment', text: text.trim() });
    }
  }
  return found.map(({ line, kind, text }) => ({ line, kind, text: plain(withoutExamples(text)) }));
}

const withoutExamples = (text) =>
  text
    .replace(/```[\s\S]*?```/g, '')
    .replace(/^@example[\s\S]*?(?=^@(?!example)|$(?![\s\S]))/gm, '')
    .replace(/^\s*(?:@example.*|node .*|npx .*|npm .*)$/gm, '');

function stringsOf(node, found, within) {
  if (!node || typeof node.type !== 'string') return;
  const title =
    node.type === 'CallExpression' && TITLES.has(titleFunction(node.callee)) ? node.arguments[0] : undefined;
  if (title) addString(title, found, 'title');
  if (node.type === 'Literal' || node.type === 'TemplateLiteral') addString(node, found, 'string', within);
  for (const key of Object.keys(node)) {
    if (key === 'parent' || key === 'loc' || key === 'range') continue;
    const value = node[key];
    if (Array.isArray(value)) for (const each of value) if (each !== title) stringsOf(each, found, node);
    if (value && !Array.isArray(value) && value !== title && typeof value === 'object') stringsOf(value, found, node);
  }
}

function titleFunction(callee) {
  if (callee.type === 'Identifier') return callee.name;
  if (callee.type === 'MemberExpression') return titleFunction(callee.object);
  if (callee.type === 'CallExpression' || callee.type === 'TaggedTemplateExpression')
    return titleFunction(callee.callee ?? callee.tag);
  return undefined;
}

function addString(node, found, kind, within) {
  const text =
    node.type === 'TemplateLiteral'
      ? node.quasis.map(({ value }) => value.cooked).join('value')
      : String(node.value ?? '');
  if (typeof node.value === 'number' || node.regex || within?.type === 'ImportDeclaration') return;
  if (STARTS_LIKE_SQL.test(text) || PROGRAM.test(text) || (text.match(/\s/g) ?? []).length < 2) return;
  found.push({ line: node.loc.start.line, kind, text: plain(text) });
}

function textsOfCode(file, text) {
  const { ast } = tseslint.parser.parseForESLint(text, {
    loc: true,
    range: true,
    comment: true,
    jsx: file.endsWith('x'),
  });
  const found = commentsOf(ast.comments);
  const strings = [];
  stringsOf(ast, strings);
  // Strings of tests are data, except for titles.
  const read =
    file.startsWith('src/') || file.startsWith('bin/') || file.startsWith('scripts/') || file.startsWith('bench/');
  return [...found, ...strings.filter(({ kind }) => kind === 'title' || read)];
}

function textsOfSql(text) {
  const found = [];
  text.split('\n').forEach((line, index) => {
    const [, comment] = /^\s*-- ?(.*)$/.exec(line) ?? [];
    const previous = found.at(-1);
    if (comment === undefined) return;
    if (previous?.next === index) Object.assign(previous, { next: index + 1, text: `${previous.text}\n${comment}` });
    else found.push({ line: index + 1, next: index + 1, kind: 'comment', text: comment });
  });
  return found.map(({ line, kind, text: comment }) => ({ line, kind, text: plain(comment) }));
}

/** Returns the texts of a file that people read, with the line where each begins. */
export function textsOf(file, text) {
  if (NOT_PROSE.test(file)) return [];
  const extension = path.extname(file);
  if (extension === '.md') return [...blocksOf(text).map((each) => ({ ...each, kind: 'page' })), ...rowsOf(text)];
  if (extension === '.sql') return textsOfSql(text);
  if (CODE.has(extension)) return textsOfCode(file, text);
  return [];
}
