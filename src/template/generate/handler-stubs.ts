import { branchesOf } from '../../model/branches.ts';
import { type StepTemplate, type StepType, type TaskTemplate, waitsByType } from '../task-template.ts';
import { graphOf, type TemplateGraph } from '../template-graph.ts';
import { freeName, keyOf, quoted, typeNameOf } from './type-name.ts';
import type { ModelNames } from './zod-types.ts';

/** Options of {@link handlersOf}. */
export interface HandlerStubOptions {
  /** The names of the result types, and the module that exports these types. Default: results are untyped. */
  models?: { names: ModelNames; from: string };
  /** Only this step. */
  step?: string;
}

/** A step of a template, and the names for its stub. */
interface Stub {
  step: StepTemplate;
  template: TaskTemplate;
  graph: TemplateGraph;
  /** Returns the source of a dependency: the step, with the schema of its result if the schema is known. */
  source(step: string, more?: { nullable: boolean }): string;
}

/** How the handler of a step is defined. */
interface Definition {
  define: 'defineHandler' | 'defineBatchAnalyzer' | 'defineBatchWorker' | 'defineConvergence' | 'defineDecisionHandler';
  /** The options besides `depends`. */
  options?: readonly string[];
  /** The arguments besides those of `depends`. */
  given?: readonly string[];
  /** The parents that are not in `depends`. */
  without?: readonly string[];
  /** Whether the function returns the result itself, in the form of the step's `result_schema`. */
  returnsResult: boolean;
  /** Lines of a comment. */
  body: readonly string[];
}

function definitionOf(stub: Stub): Definition {
  const { step, template } = stub;
  const workers = parentsOf(stub, 'batch_worker');
  switch (step.type) {
    case 'batchable':
      return analyzerOf(stub);
    case 'batch_worker': {
      const analyzers = parentsOf(stub, 'batchable');
      return {
        define: 'defineBatchWorker',
        options: analyzers.map((analyzer) => `analyzerStep: ${stub.source(analyzer)}`),
        given: ['batchContext', 'analyzer'],
        without: analyzers,
        returnsResult: true,
        body: ['Processes the items of `batchContext`. Return { itemsProcessed }, or any other result.'],
      };
    }
    case 'decision': {
      const names = branchesOf(stub.graph, stub.graph.indexOf.get(step.name)!).map((at) => template.steps[at]!.name);
      const branches = names.length === 0 ? '…' : names.map(quoted).join(', ');
      return {
        define: 'defineDecisionHandler',
        without: workers,
        returnsResult: false,
        body: [
          `Return Decision.route([…]) with one or more of ${branches}, or Decision.skip('reason').`,
          "`Decision` is an export of 'tasker-core'.",
          ...resultsOf(workers),
        ],
      };
    }
    case 'standard':
    case 'deferred_convergence':
    case 'timer':
    case 'signal':
    case 'approval':
    case 'task':
    case 'fail':
    case 'for_each':
      if (workers.length === 0 && step.type !== 'deferred_convergence')
        return { define: 'defineHandler', returnsResult: true, body: [] };
      return convergenceOf(stub, workers);
  }
}

function analyzerOf({ step, template, graph }: Stub): Definition {
  const workers = graph.children[graph.indexOf.get(step.name)!]!.map((at) => template.steps[at]!).filter(
    ({ type }) => type === 'batch_worker',
  );
  const names = workers.map(({ name }) => quoted(name));
  const sized = workers.length > 0 && workers.every(({ batchConfig }) => batchConfig?.batchSize != null);
  return {
    define: 'defineBatchAnalyzer',
    options: names.length === 0 ? [] : [`workerTemplate: ${names[0]}`],
    without: [],
    returnsResult: false,
    body: [
      sized
        ? 'Return { totalItems }. A batchSize in it wins over the batch_size of the template.'
        : 'Return { totalItems, batchSize }.',
      ...(names.length > 1 ? [`workerTemplate may be ${names.join(' or ')}.`] : []),
    ],
  };
}

function convergenceOf(stub: Stub, workers: readonly string[]): Definition {
  const [worker, ...others] = workers;
  const batch = worker === undefined ? undefined : { worker, analyzer: analyzerAbove(stub, worker) };
  return {
    define: 'defineConvergence',
    options: batch
      ? [
          ...(batch.analyzer === undefined ? [] : [`analyzerStep: ${quoted(batch.analyzer)}`]),
          `workerTemplate: ${stub.source(batch.worker)}`,
        ]
      : [],
    given: batch ? ['results', 'totals', 'scenario'] : [],
    without: workers,
    returnsResult: true,
    body: resultsOf(others),
  };
}

/** Returns how to read the results of batches that no argument has. */
function resultsOf(workers: readonly string[]): string[] {
  return workers.map(
    (name) => `The results of ${quoted(name)}: context.getAllDependencyResults(${quoted(`${name}_`)})`,
  );
}

function parentsOf({ step, template }: Stub, type: StepType): string[] {
  return step.dependencies.filter((name) => template.steps.find((one) => one.name === name)?.type === type);
}

/** Returns the analyzer of a `batch_worker` step. */
function analyzerAbove({ template, graph }: Stub, worker: string): string | undefined {
  const parents = graph.parents[graph.indexOf.get(worker)!]!;
  return parents.map((at) => template.steps[at]!).find(({ type }) => type === 'batchable')?.name;
}

/** The local name of a value, such as `priceCart`. */
function camel(text: string): string {
  const name = typeNameOf(text);
  return name.startsWith('_') ? name : name[0]!.toLowerCase() + name.slice(1);
}

/** Names that a variable of a module or a parameter of a stub cannot have. */
// biome-ignore format: one name a line would fill a page
const RESERVED = [
  'analyzer', 'arguments', 'await', 'batchContext', 'break', 'case', 'catch', 'class', 'const', 'context', 'continue',
  'debugger', 'default', 'defineBatchAnalyzer', 'defineBatchWorker', 'defineConvergence', 'defineDecisionHandler',
  'defineHandler', 'delete', 'do', 'else', 'enum', 'eval', 'export', 'extends', 'false', 'finally', 'for', 'function',
  'if', 'implements', 'import', 'in', 'instanceof', 'interface', 'let', 'logger', 'new', 'null', 'package', 'private',
  'protected', 'public', 'results', 'return', 'scenario', 'signal', 'static', 'super', 'switch', 'this', 'throw',
  'totals', 'true', 'try', 'typeof', 'var', 'void', 'while', 'with', 'yield',
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
  const defines = new Set<string>();
  const graph = graphOf(template);
  const results = models?.names.results;
  const source: Stub['source'] = (step, { nullable } = { nullable: false }) => {
    const type = results?.get(step);
    if (type === undefined) return quoted(step);
    used.add(`${type}Schema`);
    return `[${quoted(step)}, ${type}Schema${nullable ? '.nullable()' : ''}]`;
  };
  const stubs = template.steps.flatMap((step) => {
    const { callable } = step.handler;
    if (waitsByType(step.type) || (only !== undefined && step.name !== only) || written.has(callable)) return [];
    written.add(callable);
    const stub = { step, template, graph, source };
    const definition = definitionOf(stub);
    defines.add(definition.define);
    const own = definition.returnsResult ? results?.get(step.name) : undefined;
    if (own !== undefined) used.add(`type ${own}`);
    return [stubOf(stub, definition, { name: freeName(camel(step.name), taken), result: own })];
  });
  for (const { name, undo } of template.steps) {
    if (!undo || (only !== undefined && name !== only) || written.has(undo.handler.callable)) continue;
    written.add(undo.handler.callable);
    defines.add('defineHandler');
    stubs.push(undoStub(undo.handler.callable, name, freeName(camel(`undo_${name}`), taken)));
  }
  if (stubs.length === 0) return undefined;
  const imports = [`import { ${[...defines].sort().join(', ')} } from 'tasker-core';\n`];
  if (models && used.size > 0) {
    imports.push(`import { ${[...used].sort().join(', ')} } from ${quoted(models.from)};\n`);
  }
  return `${imports.join('')}\n${stubs.join('\n')}`;
}

/** Returns the handler that undoes a step. */
function undoStub(callable: string, step: string, name: string): string {
  return [
    `export const ${name} = defineHandler(${quoted(callable)}, {}, ({ context }) => {`,
    `  // Undoes ${step.replace(/[\u2028\u2029]/g, ' ')}: \`context.undo\` has its result and its last failure.`,
    `  throw new Error(${quoted(`${callable} is not implemented`)});`,
    '});',
    '',
  ].join('\n');
}

function stubOf(
  stub: Stub,
  { define, options = [], given = [], without = [], body }: Definition,
  { name, result }: { name: string; result: string | undefined },
): string {
  const { step } = stub;
  const taken = new Set(RESERVED);
  const depends = step.dependencies
    .filter((parent) => !without.includes(parent))
    .map((parent) => ({
      local: freeName(camel(parent), taken),
      source: stub.source(parent, { nullable: mayBeAbsent(stub, parent) }),
    }));
  const dependsOption = depends.map(({ local, source }) => `${keyOf(local)}: ${source}`).join(', ');
  const all = [...options, ...(dependsOption === '' ? [] : [`depends: { ${dependsOption} }`])];
  const args = [...given, ...depends.map(({ local }) => local), 'context'].join(', ');
  const lines = [
    // A line separator in a name would end the comment.
    ...body.map((line) => `// ${line.replace(/[\u2028\u2029]/g, ' ')}`),
    `throw new Error(${quoted(`${step.handler.callable} is not implemented`)});`,
  ];
  return [
    `/** Runs step ${step.name.replaceAll('*/', '*\\/')}. */`,
    `export const ${name} = ${define}(`,
    `  ${quoted(step.handler.callable)},`,
    `  {${all.length === 0 ? '' : ` ${all.join(', ')} `}},`,
    `  async ({ ${args} })${result === undefined ? '' : `: Promise<${result}>`} => {`,
    ...lines.map((line) => `    ${line}`),
    '  },',
    ');',
    '',
  ].join('\n');
}

/** Returns whether a step may run without this dependency: another branch of a decision was chosen. */
function mayBeAbsent({ step, graph }: Stub, parent: string): boolean {
  return step.dependencies.length > 1 && !graph.initial[graph.indexOf.get(parent)!];
}
