// Reads the exports of the package from the declarations of the build: names, declarations, docstrings.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const dist = fileURLToPath(new URL('../../dist', import.meta.url));

/** The entry points, by their import name. */
const ENTRIES = {
  'tasker-core': 'index.d.ts',
  'tasker-core/testing': 'testing/index.d.ts',
  'tasker-core/client': 'client/index.d.ts',
  'tasker-core/orm': 'orm/index.d.ts',
};

/**
 * @typedef {object} PublicName
 * @property {string} name The imported name.
 * @property {string} entry The entry point.
 * @property {string} group Its source folder.
 * @property {string | undefined} aliasOf The exported name that this is an alias of.
 * @property {string} kind For example class, function or interface.
 * @property {string} form Its declaration, without a body.
 * @property {string} doc Its docstring.
 * @property {{ name: string, text: string }[]} tags
 */

/** @returns {PublicName[]} in the order of the entry points */
export function readPublicApi() {
  const files = Object.values(ENTRIES).map((file) => path.join(dist, file));
  const options = {
    strict: true,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    skipLibCheck: true,
  };
  const program = ts.createProgram(files, { ...options, target: ts.ScriptTarget.ES2022, types: ['node'] });
  const checker = program.getTypeChecker();
  return Object.entries(ENTRIES).flatMap(([entry, file]) => {
    const source = program.getSourceFile(path.join(dist, file));
    const names = new Map();
    const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source));
    const isPublic = (name) => exported.some((symbol) => symbol.name === name);
    return exported.map((symbol) => {
      const found = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      const aliasOf = names.get(found);
      if (aliasOf === undefined) names.set(found, symbol.name);
      return { ...describe(found, { checker, isPublic }), name: symbol.name, entry, aliasOf };
    });
  });
}

function describe(symbol, { checker, isPublic }) {
  const { declarations } = symbol;
  const file = declarations[0].getSourceFile().fileName;
  return {
    group: path.relative(dist, path.dirname(file)).split(path.sep).join('/') || 'errors',
    kind: [...new Set(declarations.map(kindOf))].join(', '),
    form: declarations.map((one) => derivedForm(one, { checker, isPublic }) ?? formOf(one)).join('\n\n'),
    doc: ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim(),
    tags: symbol.getJsDocTags(checker).map(({ name, text }) => ({ name, text: ts.displayPartsToString(text).trim() })),
  };
}

function kindOf(declaration) {
  if (ts.isClassDeclaration(declaration)) return 'class';
  if (ts.isFunctionDeclaration(declaration)) return 'function';
  if (ts.isInterfaceDeclaration(declaration)) return 'interface';
  if (ts.isTypeAliasDeclaration(declaration)) return 'type';
  return 'constant';
}

/** Returns the declaration as TypeScript prints it, with the docstrings of its members, and without private members. */
function formOf(declaration) {
  const whole = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  return whole
    .getText()
    .replace(/^export (?:declare )?/, '')
    .replace(/^declare /, '')
    .replace(/^ +#private;\n/gm, '')
    .replace(/^( {4})+/gm, (indent) => ' '.repeat(indent.length / 2));
}

/**
 * Returns the declaration of a type that is derived from a type that is not exported, with the inherited members.
 * Undefined for other types.
 */
function derivedForm(declaration, { checker, isPublic }) {
  const members = (node) =>
    checker.getPropertiesOfType(checker.getTypeAtLocation(node)).flatMap((one) => memberOf(one, checker));
  if (ts.isTypeAliasDeclaration(declaration) && ts.isMappedTypeNode(declaration.type)) {
    if (!/ in keyof typeof /.test(declaration.type.getText())) return undefined;
    return [`type ${declaration.name.text} = {`, ...members(declaration), '};'].join('\n');
  }
  if (ts.isTypeAliasDeclaration(declaration) && /^contract\.\w+$/.test(declaration.type.getText())) {
    // The generated types of the contract are not exported under their own names.
    const [found] = checker.getTypeAtLocation(declaration.type).symbol?.declarations ?? [];
    if (found && ts.isInterfaceDeclaration(found)) {
      return formOf(found).replace(`interface ${found.name.text}`, `interface ${declaration.name.text}`);
    }
  }
  if (!ts.isInterfaceDeclaration(declaration)) return undefined;
  const [base] = declaration.heritageClauses?.[0]?.types ?? [];
  if (!base || base.typeArguments || isPublic(base.expression.getText())) return undefined;
  return formOf(declaration)
    .replace(` extends ${base.getText()}`, '')
    .replace(/\n\}$/, `\n${members(base).join('\n')}\n}`);
}

/** Returns the lines of a member: its docstring, name and type. */
function memberOf(symbol, checker) {
  const [comment] = ts.getJSDocCommentsAndTags(symbol.declarations[0]);
  const doc = comment ? comment.getText().split('\n') : [];
  const type = checker.typeToString(
    checker.getTypeOfSymbol(symbol),
    undefined,
    ts.TypeFormatFlags.NoTruncation |
      ts.TypeFormatFlags.UseSingleQuotesForStringLiteralType |
      ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope,
  );
  const isOptional = (symbol.flags & ts.SymbolFlags.Optional) !== 0;
  const shown = isOptional ? `${symbol.name}?: ${type.replace(/ \| undefined$/, '')}` : `${symbol.name}: ${type}`;
  return [...doc.map((line, at) => `  ${at > 0 ? ' ' : ''}${line.trim()}`), `  ${shown};`];
}
