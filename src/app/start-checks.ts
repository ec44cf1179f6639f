import { idlePublishers, unknownPublishers } from '../events/publishing/check-publishers.ts';
import type { PublisherRegistry } from '../events/publishing/publisher-registry.ts';
import type { Logger } from '../logging/logger.ts';
import { moduleLogger } from '../logging/module-logger.ts';
import {
  checkHandlers,
  type HandlerProblem,
  phraseProblems,
  type Resolve,
  resolvingOnce,
  unusedMethods,
} from '../registry/check-handlers.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import { withUndoSteps } from '../template/undo-steps.ts';
import { waitAtMost } from '../time/wait-at-most.ts';
import { checkIsolation } from '../worker/threads/isolation.ts';
import { unusedProcessRegistries } from './event-registries.ts';
import { checkNamedSteps, phraseNamedSteps } from './project/check-named-steps.ts';
import type { TaskerParts } from './tasker-parts.ts';

/** How long startup waits for resolvers to find the handlers of its templates. */
const CHECK_MS = 2_000;

/**
 * Warns about everything that prevents steps of these templates from being run or their events from being published.
 * @throws TaskerError for a mistake that cannot be corrected while the worker runs
 */
export async function checkStart(parts: TaskerParts): Promise<void> {
  const { registry, publishers, templates, handOut, config } = parts;
  const logger = moduleLogger(parts.logger, 'app');
  if (registry) {
    checkIsolation(
      registry,
      templates.flatMap(({ steps }) => withUndoSteps(steps).map(({ handler }) => handler)),
    );
  }
  for (const line of unusedProcessRegistries(parts, { publishes: registry !== undefined })) logger.warn(line);
  if (!registry || !publishers) return;
  const resolve = resolvingOnce(registry);
  const checks = [warnOfNamedSteps(registry, templates, { resolve, logger })];
  // A subscriber to step events may register its handlers at any time.
  if (!handOut) checks.push(warnOfHandlers(registry, parts, { resolve, logger }));
  await waitAtMost(CHECK_MS, Promise.all(checks));
  checkPublishers(publishers, parts, logger);
  const { namespaces } = config;
  const warning = namespaces && uncoveredTemplates(namespaces, templates);
  if (warning !== undefined) logger.warn({ namespaces }, warning);
}

interface Checking {
  resolve: Resolve;
  logger: Logger;
}

/** Logs one warning about handlers that this worker lacks. They may be registered later, or in another worker. */
async function warnOfHandlers(
  registry: HandlerRegistry,
  { templates, handlerPlaces }: TaskerParts,
  { resolve, logger }: Checking,
): Promise<void> {
  const problems = await checkHandlers(registry, templates, resolve);
  for (const line of await unusedMethods(templates, resolve)) logger.warn(line);
  if (problems.length === 0) return;
  logger.warn(
    { handlers: problems.map(({ callable }) => callable), problems: problems.map(({ message }) => message) },
    `${phraseProblems(problems)}; ${wayOut(problems, handlerPlaces)}`,
  );
}

/** `places`: the handler folders and packages of the worker. */
function wayOut(problems: readonly HandlerProblem[], places: readonly string[]): string {
  if (!problems.some(({ missing }) => missing)) return 'correct the template or the handler';
  const where = places.length > 0 ? `a file in ${places.join(', ')}` : 'a file of the handler folder (--handlers)';
  return `correct the name in the template, export the handler from ${where}, or run a worker that has it`;
}

/** Warns about steps that handlers name in their options, but that the templates do not have. */
async function warnOfNamedSteps(
  registry: HandlerRegistry,
  templates: readonly TaskTemplate[],
  { resolve, logger }: Checking,
): Promise<void> {
  const problems = await checkNamedSteps(registry, templates, resolve);
  if (problems.length > 0) logger.warn(phraseNamedSteps(problems));
}

/**
 * Rejects an unregistered publisher, because its events would be lost. If steps go to a subscriber, only logs a
 * warning, because the subscriber may register the publisher later.
 */
function checkPublishers(publishers: PublisherRegistry, { templates, handOut }: TaskerParts, logger: Logger): void {
  const unknown = unknownPublishers(publishers, templates);
  if (unknown && !handOut) throw unknown;
  if (unknown) logger.warn({ publishers: unknown.missingPublishers }, unknown.message);
  for (const line of idlePublishers(publishers, templates)) logger.warn(line);
}

/** Returns a warning if a worker serves none of the namespaces of its own templates. */
function uncoveredTemplates(served: readonly string[], templates: readonly TaskTemplate[]): string | undefined {
  const theirs = [...new Set(templates.map(({ namespace }) => namespace))].sort();
  if (theirs.length === 0 || theirs.some((namespace) => served.includes(namespace))) return undefined;
  const [mine, others] = [served.join(', '), theirs.join(', ')];
  return `this worker serves namespace ${mine}, but its templates are in ${others}, so it runs none of their steps; serve ${others} too, or configure no namespace`;
}
