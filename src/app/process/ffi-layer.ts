import type { NapiModule } from '../../worker/bridge/napi-module.ts';
import { processModule } from './process-module.ts';

/** Options of an {@link FfiLayer}: none has an effect, since nothing native is loaded. */
export interface FfiLayerConfig {
  modulePath?: string | null;
}

/**
 * Gives the worker of this process as one object. There is no native module here, so loading is done at once; programs
 * that are written for one keep working.
 *
 * @example
 * const layer = new FfiLayer();
 * await layer.load();
 * const event = layer.getModule().pollStepEvents();
 */
export class FfiLayer {
  #loaded = false;
  readonly #modulePath: string | null;

  constructor({ modulePath = null }: FfiLayerConfig = {}) {
    this.#modulePath = modulePath;
  }

  /** Null: there is no file to find. */
  static findModulePath(): string | null {
    return null;
  }

  /** Null: there is no file to find. */
  static findLibraryPath(_callerDir?: string): string | null {
    return null;
  }

  load(_customPath?: string): Promise<void> {
    this.#loaded = true;
    return Promise.resolve();
  }

  /** The worker goes on; `stopWorker()` stops it. */
  unload(): Promise<void> {
    this.#loaded = false;
    return Promise.resolve();
  }

  isLoaded(): boolean {
    return this.#loaded;
  }

  getModule(): NapiModule {
    return processModule;
  }

  /** The same as {@link getModule}. */
  getRuntime(): NapiModule {
    return processModule;
  }

  /** What it was made with. */
  getModulePath(): string | null {
    return this.#modulePath;
  }
}

let layer: FfiLayer | undefined;

/**
 * The layer of this process, loaded.
 *
 * @example
 * const module = (await getFfiLayer()).getModule();
 * const poller = new EventPoller(module, new TaskerEventEmitter());
 */
export async function getFfiLayer(): Promise<FfiLayer> {
  layer ??= new FfiLayer();
  await layer.load();
  return layer;
}
