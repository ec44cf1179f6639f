import { statSync } from 'node:fs';
import type { ExecutableHandler, StepHandlerClass } from '../../handlers/step-handler.ts';
import type { Logger } from '../../logging/logger.ts';
import { discoverHandlers } from '../../registry/discover-handlers.ts';
import { HandlerRegistry } from '../../registry/handler-registry.ts';
import type { DiscoveredSubscribers } from './discovered-subscribers.ts';

/**
 * The `handlers` option of `createTasker`: a folder or package, a class, an instance, a `define…()` value, a registry, or a
 * list.
 */
export type HandlerSource =
  | string
  | StepHandlerClass
  | ExecutableHandler
  | HandlerRegistry
  | readonly (string | StepHandlerClass | ExecutableHandler)[];

/** Options of {@link loadHandlers}. */
export interface LoadHandlersOptions {
  logger: Logger;
  /** Collects the publishers and subscribers of folders and packages. */
  found: DiscoveredSubscribers;
  /** The registry to put handlers into. Default: a new one. */
  registry?: HandlerRegistry | undefined;
}

/** Puts handlers into a registry. A registry that is the source is used as it is, so that handlers can be added later. */
export async function loadHandlers(
  source: HandlerSource,
  { logger, found, registry: given }: LoadHandlersOptions,
): Promise<HandlerRegistry> {
  if (source instanceof HandlerRegistry) return source;
  const sources = Array.isArray(source) ? source : [source];
  const folder = sources.find((one) => typeof one === 'string' && isFolder(one)) as string | undefined;
  const registry = given ?? new HandlerRegistry({ logger, baseFolder: folder });
  for (const one of sources) {
    if (typeof one === 'string') await discoverHandlers(one, { registry, logger, also: found.take });
    else registry.register(one as StepHandlerClass);
  }
  await found.apply();
  return registry;
}

function isFolder(source: string): boolean {
  return statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
