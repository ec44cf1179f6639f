import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { HOT, NOT_HOT } from '../bench/hot-statements.mjs';
import { ROOMS, withRooms } from '../scripts/rooms.mjs';

/** `worker` takes only the types of a template. */
const TYPES_ONLY = new Set(['worker>template', 'events>template', 'store>db']);

/** `db` may query databases, locks and versions. All other queries are in `store`. */
const MAY_ASK_THE_SERVER = new Set([
  'db/database.ts',
  'db/opening.ts',
  'db/host-finder.ts',
  'db/embedded/ensure-database.ts',
]);

const SRC = path.resolve('src');

interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
}

function sources(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const file = path.join(folder, name);
    if (statSync(file).isDirectory()) return sources(file);
    return /\.(?:ts|tsx|mjs)$/.test(file) ? [file] : [];
  });
}

function roomOf(file: string): string {
  const [first] = path.relative(SRC, file).split(path.sep);
  return first!.replace(/\.ts$/, '');
}

const parsed = new Map<string, ts.SourceFile>();

function parse(file: string): ts.SourceFile {
  const known = parsed.get(file);
  if (known) return known;
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022);
  parsed.set(file, source);
  return source;
}

function importsOf(file: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Expression | undefined, typeOnly: boolean) => {
    if (!specifier || !ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) return;
    found.push({ from: file, to: path.resolve(path.dirname(file), specifier.text), typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly ?? false);
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    ts.forEachChild(node, visit);
  };
  visit(parse(file));
  return found;
}

/** Returns the import cycles of files, each as the path of its files. */
function cyclesOf(files: readonly string[]): string[] {
  const next = new Map(files.map((file) => [file, importsOf(file).map(({ to }) => to)]));
  const cycles: string[] = [];
  const done = new Set<string>();
  const walk = (file: string, trail: string[]): void => {
    if (trail.includes(file)) {
      cycles.push([...trail.slice(trail.indexOf(file)), file].map((each) => path.relative('.', each)).join(' → '));
      return;
    }
    if (done.has(file)) return;
    for (const to of next.get(file) ?? []) walk(to, [...trail, file]);
    done.add(file);
  };
  for (const file of files) walk(file, []);
  return cycles;
}

/** Returns the packages that a process loads when it imports a file. Imports that run later do not count. */
function packagesOf(entry: string): string[] {
  const loaded = new Set([path.resolve(entry)]);
  const packages = new Set<string>();
  for (const file of loaded) {
    for (const { text, typeOnly } of staticImportsOf(file)) {
      if (typeOnly || text.startsWith('node:')) continue;
      if (text.startsWith('.')) loaded.add(path.resolve(path.dirname(file), text));
      else packages.add(/^(?:@[^/]+\/)?[^/]+/.exec(text)![0]);
    }
  }
  return [...packages].sort();
}

function staticImportsOf(file: string): { text: string; typeOnly: boolean }[] {
  return parse(file).statements.flatMap((node) => {
    if (ts.isImportDeclaration(node)) {
      return [
        { text: (node.moduleSpecifier as ts.StringLiteral).text, typeOnly: node.importClause?.isTypeOnly ?? false },
      ];
    }
    if (!ts.isExportDeclaration(node) || !node.moduleSpecifier) return [];
    return [{ text: (node.moduleSpecifier as ts.StringLiteral).text, typeOnly: node.isTypeOnly }];
  });
}

/** Returns every string in a file's code, without comments. */
function textsOf(file: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) found.push(node.text);
    if (ts.isTemplateExpression(node)) found.push(node.head.text);
    ts.forEachChild(node, visit);
  };
  visit(parse(file));
  return found;
}

/** Returns the names of the statements in a file of `store`. */
function statementsOf(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(/\bsql(?:File)?\('(\w+)'\)/g)].map(([, name]) => name!);
}

const files = sources(SRC);
const imports = files.flatMap(importsOf);

describe('the rooms', () => {
  it('are exactly the folders and top-level files of src', () => {
    expect([...new Set(files.map(roomOf))].sort()).toEqual(Object.keys(ROOMS).sort());
  });

  it('are all listed in CONTRIBUTING.md with the file to read first (`node scripts/write-rooms.mjs` writes the table)', () => {
    const page = readFileSync('CONTRIBUTING.md', 'utf8').replaceAll('\r\n', '\n');
    expect(page).toBe(withRooms(page));
    const strays = Object.entries(ROOMS).filter(
      ([room, { begin }]) => !files.includes(path.resolve(begin)) || roomOf(path.resolve(begin)) !== room,
    );
    expect(strays).toEqual([]);
  });

  it('import only rooms above them in the table', () => {
    const order = Object.keys(ROOMS);
    const wrong = Object.entries(ROOMS).flatMap(([room, { mayImport }]) =>
      mayImport.filter((other) => order.indexOf(other) >= order.indexOf(room)).map((other) => `${room} > ${other}`),
    );
    expect(wrong).toEqual([]);
  });

  it('import only the rooms that their row names', () => {
    const wrong = imports
      .filter(({ from, to, typeOnly }) => {
        const { mayImport = [], mayImportTypesOf = [] } = ROOMS[roomOf(from)] ?? {};
        if (roomOf(from) === roomOf(to) || mayImport.includes(roomOf(to))) return false;
        return !(typeOnly && mayImportTypesOf.includes(roomOf(to)));
      })
      .map(({ from, to }) => `${path.relative(SRC, from)} imports ${path.relative(SRC, to)}`);
    expect(wrong).toEqual([]);
  });

  it('import only types from rooms that are restricted to types', () => {
    const wrong = imports
      .filter(({ from, to, typeOnly }) => !typeOnly && TYPES_ONLY.has(`${roomOf(from)}>${roomOf(to)}`))
      .map(({ from, to }) => `${path.relative(SRC, from)} imports ${path.relative(SRC, to)}`);
    expect(wrong).toEqual([]);
  });

  it.each(['src', 'web/src', 'bench'])('have no import cycles in %s, including type imports', (folder) => {
    expect(cyclesOf(sources(path.resolve(folder)))).toEqual([]);
  });

  it('load only the parser of arguments and colors for help, usage errors and completion', () => {
    expect(packagesOf('src/cli/main.ts')).toEqual(['commander', 'picocolors']);
  });

  it('load the parsers of TOML, YAML and JSON Schema, the HTTP server and the brokers only when they are needed', () => {
    expect(packagesOf('src/index.ts')).toEqual(['croner', 'pg', 'picocolors', 'pino', 'zod']);
  });

  it('do not load pino or smol-toml for a command that only lists tasks', () => {
    expect(packagesOf('src/cli/task/list.ts')).toEqual(['commander', 'croner', 'pg', 'picocolors', 'zod']);
  });

  it('load no schemas of the contract in commands, because that takes a tenth of a second', () => {
    const commands = files.filter((file) => path.relative(SRC, file).startsWith('cli/') && !file.includes('/cli/mcp/'));
    const used = commands.flatMap(importsOf).filter(({ to, typeOnly }) => !typeOnly && roomOf(to) === 'contract');
    const loading = new Set(used.map(({ to }) => path.relative('.', to)).filter((file) => packagesOf(file).length > 0));
    expect([...loading]).toEqual([]);
  });

  it('use SQL text only in store and migrations, process.env only in config, and process.exit only in cli', () => {
    const sql = /^\s*(select\s|insert into\s|update\s+[\w.]+\s+set\s|delete from\s|with\s+\w+\s+as\s)/i;
    const relative = (file: string) => path.relative(SRC, file);
    const outside = (room: string, found: (file: string) => boolean) =>
      files.filter((file) => roomOf(file) !== room && found(file)).map(relative);
    const strays = outside('store', (file) => textsOf(file).some((text) => sql.test(text)));
    expect(strays.filter((file) => !MAY_ASK_THE_SERVER.has(file))).toEqual([]);
    // Examples in docstrings may use both.
    const codeOf = (file: string) => readFileSync(file, 'utf8').replace(/^ *\*.*$/gm, '');
    expect(outside('config', (file) => /process\.env\b/.test(codeOf(file)))).toEqual([]);
    expect(outside('cli', (file) => /process\.exit\(/.test(codeOf(file)))).toEqual([]);
  });

  it('write to the terminal only where control characters of stored text are escaped', () => {
    const places = new Set(['cli/this-run.ts', 'cli/show/output.ts', 'cli/show/live-screen.ts']);
    const harmless =
      /thisRun\(\)\.std(?:out|err)\.(?:isTTY|columns)\b|new (?:LiveScreen|DevView)\(thisRun\(\)\.stdout\b|output: thisRun\(\)\.stderr \}|StdioServerTransport\(.*\)/g;
    const forbidden = /\.std(?:out|err)\b|console\.\w+\(|\.write\(|picocolors/;
    const isStray = (file: string) => forbidden.test(readFileSync(file, 'utf8').replace(harmless, ''));
    const commands = files.filter((file) => roomOf(file) === 'cli' && !places.has(path.relative(SRC, file)));
    expect(commands.filter(isStray).map((file) => path.relative(SRC, file))).toEqual([]);
  });

  it('use the streams, the environment, the folder and the exit code of a run, not those of the process, in commands', () => {
    const ofProcess = /process\.(?:std(?:in|out|err)|env|cwd|chdir|exitCode)\b/;
    // Without an argument, these functions use the process.
    const ofDefaults =
      /\b(?:loadConfig|checkConfig|embeddedHome|stopOwnEmbedded|serverFromEnvironment|profileFromEnvironment|profilesFile|readProfiles|packageName)\(\)/;
    const places = new Set(['cli/this-run.ts', 'cli/leave.ts']);
    const isStray = (file: string) => {
      const text = readFileSync(file, 'utf8');
      return ofProcess.test(text) || ofDefaults.test(text);
    };
    const commands = files.filter((file) => roomOf(file) === 'cli' && !places.has(path.relative(SRC, file)));
    expect(commands.filter(isStray).map((file) => path.relative(SRC, file))).toEqual([]);
  });

  it('have exactly the statements that bench/hot-statements.mjs lists', () => {
    const statements = files.filter((file) => roomOf(file) === 'store').flatMap(statementsOf);
    const listed = [...HOT, ...Object.keys(NOT_HOT)];
    expect([...listed].sort()).toEqual([...statements].sort());
  });
});
