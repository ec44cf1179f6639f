// Coverage is counted in units: function bodies, branches, loops and cases. A mutant is covered by the tests that execute
// the unit around it. A mutant of a constant, such as SQL text, is covered by tests that execute a function that uses it.
import path from 'node:path';
import ts from 'typescript';
import { parse } from './typescript.mjs';

/** The units of a file with their positions, in source order. */
export function unitsOf(file, text) {
  const source = parse(file, text);
  const units = [];
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body) units.push(node.body);
    if (ts.isIfStatement(node)) units.push(node.thenStatement, ...(node.elseStatement ? [node.elseStatement] : []));
    if (ts.isIterationStatement(node, false)) units.push(node.statement);
    if (ts.isCaseOrDefaultClause(node) && node.statements.length > 0) units.push(node);
    if (ts.isCatchClause(node)) units.push(node.block);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...new Set(units)]
    .filter((node) => !ts.isCaseOrDefaultClause(node) || node.statements[0].getStart(source) > node.getStart(source))
    .map((node) => ({ node, start: node.getStart(source), end: node.end }))
    .sort((a, b) => a.start - b.start || b.end - a.end);
}

/** Returns the source with a call of `__count(first + i)` in each unit. Line numbers stay the same. */
export function instrumented(file, text, first, prelude) {
  const edits = [];
  unitsOf(file, text).forEach(({ node, start, end }, i) => {
    const call = `__count(${first + i})`;
    if (ts.isBlock(node)) edits.push([start + 1, 0, `${call};`]);
    else if (ts.isCaseOrDefaultClause(node)) edits.push([node.statements[0].getStart(), 1, `${call};`]);
    else if (ts.isStatement(node)) edits.push([start, 1, `{${call};`], [end, -1, '}']);
    else edits.push([start, 1, `(${call},`], [end, -1, ')']);
  });
  // At the same position, a closing edit comes before an opening one.
  edits.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let out = '';
  let at = 0;
  for (const [place, , insertion] of edits) {
    out += text.slice(at, place) + insertion;
    at = place;
  }
  const whole = out + text.slice(at);
  return `${prelude}${whole}`;
}

/** Returns a function from a mutant to the names of the units that cover it (`file#number`). */
export function reachOf(files) {
  const units = new Map();
  const tops = new Map();
  for (const [file, text] of Object.entries(files)) {
    if (!file.endsWith('.ts')) continue;
    units.set(file, unitsOf(file, text));
    tops.set(file, topLevel(file, text));
  }
  const innermost = (file, at) => {
    const list = units.get(file);
    let best = -1;
    list.forEach(({ start, end }, i) => {
      if (start <= at && at < end && (best < 0 || list[best].end - list[best].start >= end - start)) best = i;
    });
    return best < 0 ? undefined : `${file}#${best}`;
  };
  /** Units that use a name declared in a file, directly or through other constants. */
  const users = (file, name, seen = new Set()) => {
    const found = new Set();
    if (seen.has(`${file}:${name}`)) return found;
    seen.add(`${file}:${name}`);
    for (const [other, { declarations, imports }] of tops) {
      const local = other === file ? name : imports.get(`${file}:${name}`);
      if (!local) continue;
      for (const declaration of declarations) {
        for (const at of declaration.uses.get(local) ?? []) {
          const unit = innermost(other, at);
          if (unit && !declaration.constant) found.add(unit);
          else for (const each of declaration.names) for (const user of users(other, each, seen)) found.add(user);
        }
      }
    }
    return found;
  };
  /** Units that use a statement whose text is a file of its own: through the constant that names the file. */
  const usersOfStatement = (statement) =>
    [...tops].flatMap(([file, { declarations }]) =>
      declarations
        .filter(({ statements }) => statements.includes(statement))
        .flatMap(({ names }) => names.flatMap((name) => [...users(file, name)])),
    );
  return ({ file, start }) => {
    if (!file.endsWith('.ts')) return usersOfStatement(path.posix.basename(file, '.sql'));
    const declaration = tops.get(file).declarations.find((each) => each.start <= start && start < each.end);
    const unit = innermost(file, start);
    if (unit && !declaration?.constant) return [unit];
    // A function in a constant may run on each call, or only once at import to build the text of a statement.
    const found = new Set(unit ? [unit] : []);
    for (const name of declaration?.names ?? []) for (const user of users(file, name)) found.add(user);
    if (found.size > 0) return [...found];
    // A class field, or code that runs at import: any unit of the class, or of the file.
    const list = units.get(file);
    const inside = list
      .map((_, i) => i)
      .filter((i) => !declaration || (list[i].start >= declaration.start && list[i].end <= declaration.end));
    return (inside.length > 0 ? inside : list.map((_, i) => i)).map((i) => `${file}#${i}`);
  };
}

/** Top-level declarations of a file with the names they use, and its imports as a map from `file:name` to local name. */
function topLevel(file, text) {
  const source = parse(file, text);
  const imports = new Map();
  const declarations = [];
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement)) {
      const from = statement.moduleSpecifier.text;
      if (!from.startsWith('.')) continue;
      const target = path.posix.join(path.posix.dirname(file), from);
      const bindings = statement.importClause?.namedBindings;
      if (bindings && ts.isNamedImports(bindings))
        for (const each of bindings.elements)
          imports.set(`${target}:${(each.propertyName ?? each.name).text}`, each.name.text);
      continue;
    }
    const names = ts.isVariableStatement(statement)
      ? statement.declarationList.declarations.map((each) => each.name.getText(source))
      : [statement.name?.text].filter(Boolean);
    const uses = new Map();
    const statements = [];
    const look = (node) => {
      if (ts.isIdentifier(node)) uses.set(node.text, [...(uses.get(node.text) ?? []), node.getStart(source)]);
      if (ts.isCallExpression(node) && node.expression.getText(source) === 'sqlFile')
        statements.push(node.arguments[0].text);
      ts.forEachChild(node, look);
    };
    look(statement);
    declarations.push({
      names,
      uses,
      statements,
      constant: ts.isVariableStatement(statement),
      start: statement.getStart(source),
      end: statement.end,
    });
  }
  return { imports, declarations };
}
