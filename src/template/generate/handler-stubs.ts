import type { StepTemplate, StepType, TaskTemplate } from '../task-template.ts';
import { freeName, keyOf, quoted, typeNameOf } from './type-name.ts';
import type { ModelNames } from './zod-types.ts';

/** Options of {@link handlersOf}. */
export interface HandlerStubOptions {
  /** The names of the result types, and the module that exports these types. Default: results are untyped. */
  models?: { names: ModelNames; from: string };
  /** Only this step. */
  step?: string;
}

/** How the handler of a step is defined, and the body of its stub. Steps that wait have no handler. */
const STUBS: Partial<Record<StepType, { define: string; body: readonly string[] }>> = {
  standard: { define: 'defineHandler', body: [] },
  deferred_convergence: { define: 'defineHandler', body: [] },
  decision: { define: 'defineHandler', body: ['// Return `decision([…])` with the names of the steps that run next.'] },
  batchable: {
    define: 'defineHandler',
    body: ['// See `defineBatchAnalyzer`: the result splits the work into batches.'],
  },
  batch_worker: { define: 'defineHandler', body: ['// See `defineBatchWorker`: it processes one batch.'] },
};

/** The local name of a value, such as `priceCart`. */
function camel(text: string): string {
  const name = typeNameOf(text);
  return name.startsWith('_') ? name : name[0]!.toLowerCase() + name.slice(1);
}

/** Names that a variable of a module or a parameter of a stub cannot have. */
// biome-ignore format: one name a line would fill a page
const RESERVED = [
  'arguments', 'await', 'break', 'case', 'catch', 'class', 'const', 'context', 'continue', 'debugger', 'default',
  'defineHandler', 'delete', 'do', 'else', 'enum', 'eval', 'export', 'extends', 'false', 'finally', 'for', 'function',
  'if', 'implements', 'import', 'in', 'instanceof', 'interface', 'let', 'new', 'null', 'package', 'private',
  'protected', 'public', 'return', 'signal', 'logger', 'static', 'super', 'switch', 'this', 'throw', 'true', 'try',
  'typeof', 'var', 'void', 'while', 'with', 'yield',
];

/**
 * Returns a module with a stub for each callable of a template. Undefined if no step needs a handler, or no step has
 * that name.
 */
export function handlersOf(
  template: TaskTemplate,
  { models, step: only }: HandlerStubOptions = {},
): string | undefined {
  const taken = new Set(RESERVED);
  const written = new Set<string>();
  const used = new Set<string>();
  const stubs = template.steps.flatMap((step) => {
    const { callable } = step.handler;
    if (!STUBS[step.type] || (only !== undefined && step.name !== only) || written.has(callable)) return [];
    written.add(callable);
    return [stubOf(step, { name: freeName(camel(step.name), taken), results: models?.names.results, used })];
  });
  if (stubs.length === 0) return undefined;
  const imports = [`import { defineHandler } from 'tasker-core';\n`];
  if (models && used.size > 0) {
    imports.push(`import { ${[...used].sort().join(', ')} } from ${quoted(models.from)};\n`);
  }
  return `${imports.join('')}\n${stubs.join('\n')}`;
}

interface Stub {
  name: string;
  results: ReadonlyMap<string, string> | undefined;
  used: Set<string>;
}

function stubOf(step: StepTemplate, { name, results, used }: Stub): string {
  const taken = new Set(RESERVED);
  const depends = step.dependencies.map((parent) => {
    const local = freeName(camel(parent), taken);
    const type = results?.get(parent);
    if (type !== undefined) used.add(`${type}Schema`);
    return { local, source: type === undefined ? quoted(parent) : `[${quoted(parent)}, ${type}Schema]` };
  });
  const own = results?.get(step.name);
  if (own !== undefined) used.add(`type ${own}`);
  const options = depends.map(({ local, source }) => `${keyOf(local)}: ${source}`).join(', ');
  const given = [...depends.map(({ local }) => local), 'context'].join(', ');
  const lines = [
    ...STUBS[step.type]!.body,
    `throw new Error(${quoted(`${step.handler.callable} is not implemented`)});`,
  ];
  return [
    `/** Runs step ${step.name.replaceAll('*/', '*\\/')}. */`,
    `export const ${name} = defineHandler(`,
    `  ${quoted(step.handler.callable)},`,
    `  {${options === '' ? '' : ` depends: { ${options} } `}},`,
    `  async ({ ${given} })${own === undefined ? '' : `: Promise<${own}>`} => {`,
    ...lines.map((line) => `    ${line}`),
    '  },',
    ');',
    '',
  ].join('\n');
}
