import path from 'node:path';
import { isHandlerClass, isStepHandler } from '../handlers/step-handler.ts';
import { checkCallable, fileInFolder, fileInPackage } from './allowed-files.ts';
import type { BaseResolver, Registrable, ResolvedHandler, ResolverConfig } from './base-resolver.ts';
import type { HandlerDefinition } from './handler-definition.ts';
import { importFile, importPackageFile } from './import-handlers.ts';
import { ResolutionError } from './resolution-errors.ts';

/** Options of {@link ClassLookupResolver}. */
export interface ClassLookupOptions {
  /** The folder for relative callables, without `..`. Without it the resolver matches nothing. */
  baseFolder?: string | undefined;
}

/** `./orders.ts`, `../orders` (which is rejected), `@scope/package`, `@scope/package/part`. */
const CALLABLE = /^(?:\.{1,2}\/.|@[a-z0-9][\w.-]*\/[a-z0-9])/;

/**
 * Finds a handler by the file or package that exports it: the default export, or else the first export that has a
 * `handlerName`.
 *
 * Because a template chooses the code to run, only two kinds of callables are allowed: files in `baseFolder` that
 * discovery would also read, and files of installed packages with a scope. A path with `..`, an empty part or a
 * character such as `%`, and a link that leads out of the folder or the package, fail the step. Absolute paths and
 * packages without a scope are not looked up. If the file does not exist, the handler is not found. If the file cannot
 * be loaded or exports no handler, the step fails. The step also fails if its template only arrived over HTTP and the
 * setting `worker.handlers.files_for_http_templates` is off, as it is in production.
 *
 * @example
 * const chain = ResolverChain.withResolvers([new ClassLookupResolver({ baseFolder: './handlers' })]);
 * await chain.resolve({ callable: './billing/charge' }); // handlers/billing/charge.ts
 */
export class ClassLookupResolver implements BaseResolver {
  readonly name = 'class_lookup';
  readonly priority = 100;
  readonly #base: string | undefined;

  constructor({ baseFolder }: ClassLookupOptions = {}) {
    this.#base = baseFolder === undefined ? undefined : path.resolve(baseFolder);
  }

  get pattern(): RegExp | undefined {
    return this.#base === undefined ? undefined : CALLABLE;
  }

  canResolve({ callable }: HandlerDefinition, _config?: ResolverConfig): boolean {
    return this.#base !== undefined && CALLABLE.test(callable);
  }

  async resolve(definition: HandlerDefinition, _config?: ResolverConfig): Promise<ResolvedHandler> {
    const { callable } = definition;
    if (this.#base === undefined || !this.canResolve(definition)) return null;
    checkCallable(callable);
    const isPackage = callable.startsWith('@');
    const file = await (isPackage ? fileInPackage : fileInFolder)(this.#base, callable);
    if (file === null) return null;
    if (definition.loadsFiles === false) throw notLoaded(callable);
    return isPackage
      ? handlerIn(await importPackageFile(callable, file), callable)
      : handlerIn(await importFile(this.#base, file), file);
  }
}

function notLoaded(callable: string): ResolutionError {
  return new ResolutionError(
    `callable ${callable} is a file or package, and its template only arrived over HTTP, so this worker does not load it; register the template from the templates folder of a worker, register the handler by name, or set worker.handlers.files_for_http_templates`,
  );
}

function handlerIn(module: Record<string, unknown>, where: string): Registrable {
  const { default: first, ...others } = module;
  const found = isHandler(first) ? first : Object.values(others).find((value) => isHandler(value) && isNamed(value));
  if (isHandler(found)) return found;
  throw new ResolutionError(
    `${where} exports no handler: its default export is not a handler, and no other export has a handlerName; it exports ${Object.keys(module).slice(0, 10).join(', ') || 'nothing'}`,
  );
}

function isHandler(value: unknown): value is Registrable {
  return isHandlerClass(value) || isStepHandler(value);
}

function isNamed(value: Registrable): boolean {
  return !isHandlerClass(value) || Boolean(value.handlerName);
}
