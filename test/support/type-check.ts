import path from 'node:path';
import ts from 'typescript';

/** The compiler's errors about names that a sample uses but does not define, including in `{ name }` and within a class. */
const CANNOT_FIND_NAME = new Set([2304, 2552, 2663, 18004]);

/** Sources that several checks share: parsing the libraries takes longer than most checks. */
export type SharedSources = Map<string, ts.SourceFile | undefined>;

/** Returns the compiler's errors in files that exist only in memory, each with file and line. */
export function problemsOf(files: Map<string, string>, shared: SharedSources = new Map()): string[] {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (file) => files.has(path.resolve(file)) || fileExists(file);
  host.readFile = (file) => files.get(path.resolve(file)) ?? readFile(file);
  host.getSourceFile = (file, ...more) => {
    const text = files.get(path.resolve(file));
    if (text !== undefined) return ts.createSourceFile(file, text, ts.ScriptTarget.ES2022);
    if (!shared.has(file)) shared.set(file, getSourceFile(file, ...more));
    return shared.get(file);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  const problems = ts.getPreEmitDiagnostics(program).filter(({ code }) => !CANNOT_FIND_NAME.has(code));
  return problems.map(({ file, start, messageText }) => {
    const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    return `${path.basename(file?.fileName ?? '')} (line ${line}): ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}
