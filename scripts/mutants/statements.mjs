// Checks that PostgreSQL accepts the statements of a mutated file. A mutant that does not parse does not measure the
// quality of the tests.
import { unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import ts from 'typescript';
import { javascriptOf } from './lane.mjs';
import { parse } from './typescript.mjs';

/** Statements that `prepare` accepts. */
const PREPARABLE = /^\s*(with|select|insert|update|delete|values|merge)\b/i;
let copies = 0;

/** Returns `accepts(file, text)`: whether all statements of a store file parse. */
export async function statementCheck(lane) {
  const client = new pg.Client({ connectionString: lane.checkUrl });
  await client.connect();
  const accepts = async (file, text) => {
    for (const { text: statement } of await statementsOf(lane, file, text)) {
      if (!PREPARABLE.test(statement)) continue;
      try {
        await client.query(`prepare mutant as ${statement}`);
        await client.query('deallocate mutant');
      } catch {
        return false;
      }
    }
    return true;
  };
  return { accepts, close: () => client.end() };
}

/** Returns the statements that a file declares, evaluated by loading the file. An SQL file is one statement. */
async function statementsOf(lane, file, text) {
  if (file.endsWith('.sql')) return [{ text: text.replace(/^(--.*\n)+/, '') }];
  const source = parse(file, text);
  const names = source.statements
    .filter(ts.isVariableStatement)
    .flatMap((statement) => statement.declarationList.declarations)
    .filter((each) => /^sql\('/.test(each.initializer?.getText(source) ?? ''))
    .map((each) => each.name.getText(source));
  if (names.length === 0) return [];
  const copy = path.join(lane.root, file.replace(/^src\//, 'dist/').replace(/\.ts$/, `.statements-${++copies}.js`));
  writeFileSync(copy, `${javascriptOf(text)}\nexport const allStatements = [${names.join(', ')}];\n`);
  try {
    return (await import(pathToFileURL(copy))).allStatements;
  } finally {
    unlinkSync(copy);
  }
}
