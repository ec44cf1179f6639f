import { existsSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { isHandlerClass, isStepHandler } from '../handlers/step-handler.ts';
import type { BaseResolver, Registrable, ResolvedHandler, ResolverConfig } from './base-resolver.ts';
import type { HandlerDefinition } from './handler-definition.ts';
import { mayHoldHandlers } from './handler-files.ts';
import { importFile, importPackage } from './import-handlers.ts';
import { ResolutionError } from './resolution-errors.ts';

/** Options of {@link ClassLookupResolver}. */
export interface ClassLookupOptions {
  /** The folder for relative callables; `../` must not lead out of it. Without it the resolver matches nothing. */
  baseFolder?: string | undefined;
}

/** `./orders.ts`, `../orders`, `@scope/package`, `@scope/package/part`. */
const CALLABLE = /^(?:\.{1,2}\/.|@[a-z0-9][\w.-]*\/[a-z0-9])/;
const ENDINGS = ['', '.ts', '.mts', '.js', '.mjs', '/index.ts', '/index.mts', '/index.js', '/index.mjs'];

/**
 * Finds a handler by the file or package that exports it: the default export, or else the first export that has a
 * `handlerName`.
 *
 * Because a template chooses the code to run, only two kinds of callables are allowed: files in `baseFolder` that
 * discovery would also read, and installed packages with a scope. Absolute paths, paths outside the folder and packages
 * without a scope are not allowed. If the file does not exist, the handler is not found. If the file cannot be loaded
 * or exports no handler, the step fails.
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
    if (callable.startsWith('@')) {
      const module = await importPackage(this.#base, callable);
      return module && handlerIn(module, callable);
    }
    const file = fileOf(this.#base, callable);
    return file === null ? null : handlerIn(await importFile(this.#base, file), file);
  }
}

/** The file for a callable. Null if it does not exist. Throws if the callable is not allowed. */
function fileOf(base: string, callable: string): string | null {
  const wanted = path.resolve(base, callable);
  refuseOutside(base, wanted, callable);
  if (!mayHoldHandlers(path.relative(base, wanted))) return null;
  for (const file of ENDINGS.map((ending) => wanted + ending)) {
    if (!/\.(ts|mts|js|mjs)$/.test(file) || !isFile(file)) continue;
    // The file may be a link to a file outside the folder.
    refuseOutside(realpathSync(base), realpathSync(file), callable);
    return file;
  }
  return null;
}

/** If a parent of the path is a file, `statSync` throws even with `throwIfNoEntry: false`. */
function isFile(file: string): boolean {
  return existsSync(file) && statSync(file).isFile();
}

function refuseOutside(base: string, file: string, callable: string): void {
  if (file.startsWith(base.endsWith(path.sep) ? base : base + path.sep)) return;
  throw new ResolutionError(
    `callable ${callable} is outside ${base}, and a template can only name files in that folder; move the handler there, or register it by name`,
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
