import { loadConfig } from '../../config/load-config.ts';
import { HandlerRegistry } from '../../registry/handler-registry.ts';
import type { ResolverInfo } from '../../registry/resolver-chain.ts';

/**
 * A registry together with the places that its handlers are read from.
 *
 * @example
 * const system = new HandlerSystem();
 * await system.loadFromEnv(); // the folders of TASKER_HANDLER_PATH
 * system.register('charge', Charge);
 * const tasker = await createTasker({ handlers: system.getRegistry() });
 */
export class HandlerSystem extends HandlerRegistry {
  #initialized = false;

  override async initialize(): Promise<void> {
    await super.initialize();
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
    return this.discoverHandlers(path);
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

  /** The system itself. */
  getRegistry(): HandlerRegistry {
    return this;
  }

  override debugInfo(): { initialized: boolean; handlerCount: number; handlers: string[]; resolvers: ResolverInfo[] } {
    return { initialized: this.#initialized, ...super.debugInfo() };
  }
}
