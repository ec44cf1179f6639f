import { loadConfig } from '../../config/load-config.ts';
import type { ExecutableHandler } from '../../handlers/step-handler.ts';
import type { BaseResolver } from '../../registry/base-resolver.ts';
import type { HandlerSpec } from '../../registry/handler-definition.ts';
import type { Registrable } from '../../registry/handler-maker.ts';
import { HandlerRegistry, type HandlerRegistryOptions } from '../../registry/handler-registry.ts';
import type { ResolverChain, ResolverInfo } from '../../registry/resolver-chain.ts';

/**
 * A registry together with the places that its handlers are read from.
 *
 * @example
 * const system = new HandlerSystem();
 * await system.loadFromEnv(); // the folders of TASKER_HANDLER_PATH
 * system.register('charge', Charge);
 * const tasker = await createTasker({ handlers: system.getRegistry() });
 */
export class HandlerSystem {
  readonly #registry: HandlerRegistry;
  #initialized = false;

  constructor(options: HandlerRegistryOptions = {}) {
    this.#registry = new HandlerRegistry(options);
  }

  async initialize(): Promise<void> {
    await this.#registry.initialize();
    this.#initialized = true;
  }

  get initialized(): boolean {
    return this.#initialized;
  }

  /**
   * Registers the handlers of a folder, a file or a package, and answers how many. Throws as `discoverHandlers` does:
   * a folder that is not there, or a file that does not load, is an error and not a system without handlers.
   */
  loadFromPath(path: string): Promise<number> {
    return this.#registry.discoverHandlers(path);
  }

  /**
   * The same for each folder of `TASKER_HANDLER_PATH`, else `TYPESCRIPT_HANDLER_PATH`, else of the configuration file; 0
   * when none says any.
   */
  async loadFromEnv(): Promise<number> {
    let count = 0;
    for (const folder of loadConfig().config.handlerPaths) count += await this.loadFromPath(folder);
    return count;
  }

  register(name: string, handler: Registrable): void {
    this.#registry.register(name, handler);
  }

  unregister(name: string): boolean {
    return this.#registry.unregister(name);
  }

  resolve(spec: HandlerSpec): Promise<ExecutableHandler | null> {
    return this.#registry.resolve(spec);
  }

  isRegistered(name: string): boolean {
    return this.#registry.isRegistered(name);
  }

  listHandlers(): string[] {
    return this.#registry.listHandlers();
  }

  handlerCount(): number {
    return this.#registry.handlerCount();
  }

  clear(): void {
    this.#registry.clear();
  }

  addResolver(resolver: BaseResolver): Promise<void> {
    return this.#registry.addResolver(resolver);
  }

  getResolver(name: string): Promise<BaseResolver | undefined> {
    return this.#registry.getResolver(name);
  }

  listResolvers(): Promise<[string, number][]> {
    return this.#registry.listResolvers();
  }

  getResolverChain(): Promise<ResolverChain> {
    return this.#registry.getResolverChain();
  }

  getRegistry(): HandlerRegistry {
    return this.#registry;
  }

  debugInfo(): { initialized: boolean; handlerCount: number; handlers: string[]; resolvers: ResolverInfo[] } {
    return { initialized: this.#initialized, ...this.#registry.debugInfo() };
  }
}
