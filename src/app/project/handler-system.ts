import { loadConfig } from '../../config/load-config.ts';
import { HandlerRegistry, type RegistryInfo } from '../../registry/handler-registry.ts';

/**
 * A handler registry that also loads handlers from folders, files and packages.
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
   * Registers the handlers of a folder, a file or a package, and returns their number. Throws the same errors as
   * `discoverHandlers` if the folder does not exist or a file cannot be loaded.
   */
  loadFromPath(path: string): Promise<number> {
    return this.discoverHandlers(path);
  }

  /**
   * Registers the handlers of each folder in `TASKER_HANDLER_PATH`, otherwise `TYPESCRIPT_HANDLER_PATH`, otherwise the
   * configuration file. Returns their number, which is 0 if no folder is configured.
   */
  async loadFromEnv(): Promise<number> {
    let count = 0;
    for (const folder of loadConfig().config.handlerPaths) count += await this.loadFromPath(folder);
    return count;
  }

  /** Returns this object, which is the registry. */
  getRegistry(): HandlerRegistry {
    return this;
  }

  override debugInfo(): RegistryInfo & { component: string; initialized: boolean } {
    return { component: 'HandlerSystem', initialized: this.#initialized, ...super.debugInfo() };
  }
}
