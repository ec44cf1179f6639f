import { nameOf } from '../../engine/template-store.ts';
import { nearNames } from '../../model/near-names.ts';
import type { StepTemplate, TaskTemplate } from '../../template/task-template.ts';
import { PublisherValidationError } from './publisher-errors.ts';
import { PublisherRegistry } from './publisher-registry.ts';

/**
 * Returns an error for unregistered publishers that templates name, with their places in the templates. Undefined if
 * all are registered. With `orInProcess`, publishers in `PublisherRegistry.instance()` are treated as registered, as in
 * a worker server.
 */
export function unknownPublishers(
  registry: PublisherRegistry,
  templates: readonly TaskTemplate[],
  { orInProcess = false }: { orInProcess?: boolean } = {},
): PublisherValidationError | undefined {
  const missing = new Map<string, string>();
  for (const template of templates) {
    for (const step of template.steps) {
      for (const { name, publisher } of step.publishesEvents) {
        if (publisher === null || registry.isRegistered(publisher) || missing.has(publisher)) continue;
        missing.set(publisher, `${nameOf(template)}: step ${step.name}, event ${name}`);
      }
    }
  }
  const inProcess = [...missing.keys()].filter((name) => PublisherRegistry.instance.isRegistered(name));
  if (orInProcess) for (const name of inProcess) missing.delete(name);
  if (missing.size === 0) return undefined;
  const names = [...missing.keys()];
  return new PublisherValidationError(
    names,
    registry.registeredNames,
    [...missing.values()],
    names.filter((name) => inProcess.includes(name)),
  );
}

/**
 * Returns a warning for each publisher whose `publishesFor` has no effect, because its steps do not exist or have no event
 * without a publisher. Publishers that a template names are skipped.
 */
export function idlePublishers(registry: PublisherRegistry, templates: readonly TaskTemplate[]): string[] {
  const steps = templates.flatMap((template) => template.steps);
  if (steps.length === 0) return [];
  const named = new Set(steps.flatMap(({ publishesEvents }) => publishesEvents.map(({ publisher }) => publisher)));
  return registry.listPublishers().flatMap((publisher) => {
    if (named.has(publisher.publisherName)) return [];
    const idle = publisher.publishesFor().flatMap((name) => whyIdle(name, steps) ?? []);
    return idle.length > 0 ? [`publisher ${publisher.publisherName} has nothing to publish: ${idle.join('; ')}`] : [];
  });
}

function whyIdle(name: string, steps: readonly StepTemplate[]): string | undefined {
  const named = steps.filter((step) => step.name === name);
  if (named.length === 0) {
    const near = nearNames(
      name,
      steps.map((step) => step.name),
    );
    return `step ${name} not found in these templates${near.length > 0 ? `, did you mean ${near.join(' or ')}?` : ''}`;
  }
  const asked = named.some(({ publishesEvents }) => publishesEvents.some(({ publisher }) => publisher === null));
  return asked ? undefined : `step ${name} declares no event without a publisher under publishes_events`;
}
