import { statSync } from 'node:fs';
import type { ExecutableHandler, StepHandlerClass } from '../../handlers/step-handler.ts';
import type { Logger } from '../../logging/logger.ts';
import { discoverHandlers } from '../../registry/discover-handlers.ts';
import { HandlerRegistry } from '../../registry/handler-registry.ts';
import type { DiscoveredSubscribers } from './discovered-subscribers.ts';

/** Handlers as `createTasker` takes them: a folder or package, classes, instances, `define…()` values, a registry, or a list. */
export type HandlerSource =
  | string
  | StepHandlerClass
  | ExecutableHandler
  | HandlerRegistry
  | readonly (string | StepHandlerClass | ExecutableHandler)[];

/** Where {@link loadHandlers} puts what it reads. */
export interface LoadHandlersOptions {
  logger: Logger;
  /** Gets the publishers and subscribers of folders and packages. */
  found: DiscoveredSubscribers;
  /** Gets the handlers. Default: a registry of their own. */
  registry?: HandlerRegistry | undefined;
}

/** Puts handlers into a registry; one that is the source is used as it is, so that handlers may be added to it later. */
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
