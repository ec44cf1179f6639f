// Mutants of TypeScript source, from its syntax tree.
import ts from 'typescript';

const COMPARISONS = {
  '===': ['!=='],
  '!==': ['==='],
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
};
const ARITHMETIC = { '+': '-', '-': '+', '*': '/', '/': '*', '%': '*', '+=': '-=', '-=': '+=' };
const LOGGING = /(^|\.|#)(logger|log)(\?\.|\.|\[)|^log(Debug|Info|Warn|Error)$/i;

export function parse(file, text) {
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
}

/** Edits `{ file, start, end, replacement, operator }` of a file. Strings for which `isSql` is true are not mutated. */
export function typescriptMutants(file, text, isSql) {
  const source = parse(file, text);
  const found = [];
  const add = (operator, start, end, replacement) => {
    if (text.slice(start, end) !== replacement) found.push({ file, start, end, replacement, operator });
  };
  const replace = (operator, node, replacement) => add(operator, node.getStart(source), node.end, replacement);
  const textOf = (node) => node.getText(source);

  const visit = (node) => {
    if (isTypeOnly(node) || isLogging(node, source)) return;
    mutate(node);
    ts.forEachChild(node, visit);
  };

  const mutate = (node) => {
    const condition = conditionOf(node);
    if (condition && !isComparison(condition) && !isNegation(condition))
      replace('negate condition', condition, `!(${textOf(condition)})`);
    if (isNegation(node)) replace('negate condition', node, `(${textOf(node.operand)})`);
    if (ts.isBinaryExpression(node)) binary(node);
    if (node.kind === ts.SyntaxKind.TrueKeyword) replace('boolean', node, 'false');
    if (node.kind === ts.SyntaxKind.FalseKeyword) replace('boolean', node, 'true');
    if (ts.isPostfixUnaryExpression(node) || ts.isPrefixUnaryExpression(node)) counter(node);
    if (ts.isExpressionStatement(node)) statement(node);
    if (ts.isReturnStatement(node) && node.expression && ts.isAwaitExpression(node.expression))
      replace('drop await', node.expression, textOf(node.expression.expression));
    if (ts.isBlock(node) && returnsNothing(node))
      add('return early', node.getStart(source) + 1, node.getStart(source) + 1, ' return;');
    if (ts.isStringLiteral(node) && node.text !== '' && isValue(node) && !isSql(node))
      replace('empty string', node, "''");
    if (ts.isArrayLiteralExpression(node) && node.elements.length > 0 && !isPattern(node))
      replace('empty array', node, '[]');
  };

  const binary = (node) => {
    const operator = node.operatorToken.getText(source);
    const withOperator = (kind, other) => replace(kind, node.operatorToken, other);
    for (const other of COMPARISONS[operator] ?? []) withOperator('comparison', other);
    if (operator === '&&') withOperator('logic', '||');
    if (operator === '||') withOperator('logic', '&&');
    if (operator === '??') {
      replace('default', node, `(${textOf(node.left)})`);
      replace('default', node, `(${textOf(node.right)})`);
    }
    if (operator === '??=' || operator === '||=' || operator === '&&=') withOperator('default', '=');
    if (ARITHMETIC[operator] && !isText(node.left) && !isText(node.right))
      withOperator('arithmetic', ARITHMETIC[operator]);
  };

  const counter = (node) => {
    if (node.operator === ts.SyntaxKind.PlusPlusToken) replace('arithmetic', node, textOf(node).replace('++', '--'));
    if (node.operator === ts.SyntaxKind.MinusMinusToken) replace('arithmetic', node, textOf(node).replace('--', '++'));
  };

  const statement = (node) => {
    const { expression } = node;
    if (ts.isCallExpression(expression) && expression.expression.kind === ts.SyntaxKind.SuperKeyword) return;
    replace('drop statement', node, ';');
    if (ts.isAwaitExpression(expression)) replace('drop await', expression, textOf(expression.expression));
  };

  visit(source);
  return found;
}

function isTypeOnly(node) {
  return (
    ts.isTypeNode(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isImportDeclaration(node) ||
    ts.isExportDeclaration(node)
  );
}

/** Log calls are not mutated: tests are not expected to check every log line. */
function isLogging(node, source) {
  if (ts.isExpressionStatement(node)) return isLogging(node.expression, source);
  if (!ts.isCallExpression(node)) return false;
  return LOGGING.test(node.expression.getText(source));
}

function conditionOf(node) {
  if (ts.isIfStatement(node) || ts.isWhileStatement(node) || ts.isDoStatement(node)) return node.expression;
  if (ts.isConditionalExpression(node)) return node.condition;
  return undefined;
}

function isComparison(node) {
  return ts.isBinaryExpression(node) && node.operatorToken.getText() in COMPARISONS;
}

function isNegation(node) {
  return ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken;
}

/** Whether an operand is a string, so that `+` concatenates. */
function isText(node) {
  if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) return true;
  return ts.isBinaryExpression(node) && (isText(node.left) || isText(node.right));
}

function isPattern(node) {
  const { parent } = node;
  return (
    ts.isBinaryExpression(parent) && parent.left === node && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken
  );
}

/** Whether a string is a value: not an error message, a key or one side of a comparison. */
function isValue(node) {
  for (let up = node.parent; up && !ts.isStatement(up); up = up.parent) {
    if (ts.isNewExpression(up) && /Error$/.test(up.expression.getText())) return false;
  }
  const { parent } = node;
  if (ts.isPropertyAssignment(parent)) {
    const name = parent.name.getText();
    return parent.initializer === node && name !== 'name' && name !== 'description';
  }
  return ts.isCallExpression(parent) || ts.isReturnStatement(parent) || ts.isConditionalExpression(parent);
}

/** Whether a block is the body of a function that returns no value. */
function returnsNothing(block) {
  const owner = block.parent;
  if (!ts.isFunctionLike(owner) || ts.isConstructorDeclaration(owner) || block.statements.length === 0) return false;
  let answers = false;
  const look = (node) => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isReturnStatement(node) && node.expression) answers = true;
    else ts.forEachChild(node, look);
  };
  ts.forEachChild(block, look);
  return !answers;
}
