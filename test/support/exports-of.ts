import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

/**
 * Returns the names that a file exports, in alphabetical order. It follows `export type *` into files of the same kind. Other
 * forms of `export *` are an error, because they hide names.
 */
export function exportsOf(file: string): { values: string[]; types: string[] } {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  const values: string[] = [];
  const types: string[] = [];
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement) && /config\/require-node\.ts/.test(statement.moduleSpecifier.getText()))
      continue;
    if (ts.isExportDeclaration(statement) && statement.isTypeOnly && !statement.exportClause) {
      const from = (statement.moduleSpecifier as ts.StringLiteral).text;
      types.push(...exportsOf(path.join(path.dirname(file), from)).types);
      continue;
    }
    if (!ts.isExportDeclaration(statement) || !statement.exportClause || !ts.isNamedExports(statement.exportClause)) {
      throw new Error(`${file} holds more than exports by name: ${statement.getText().slice(0, 80)}`);
    }
    for (const { name, isTypeOnly } of statement.exportClause.elements)
      (statement.isTypeOnly || isTypeOnly ? types : values).push(name.text);
  }
  return { values: values.sort(), types: types.sort() };
}
