import { nearNames } from '../../model/near-names.ts';
import type { StepTemplate, TaskTemplate } from '../../template/task-template.ts';
import { PublisherValidationError } from './publisher-errors.ts';
import type { PublisherRegistry } from './publisher-registry.ts';

/** The error of publishers that templates name and nobody registered, with all places; undefined: there are none. */
export function unknownPublishers(
  registry: PublisherRegistry,
  templates: readonly TaskTemplate[],
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
  if (missing.size === 0) return undefined;
  return new PublisherValidationError([...missing.keys()], registry.registeredNames, [...missing.values()]);
}

/** What publishers say they are for and will never be asked for: steps that are not there, or declare no event for them. */
export function idlePublishers(registry: PublisherRegistry, templates: readonly TaskTemplate[]): string[] {
  const steps = templates.flatMap((template) => template.steps);
  if (steps.length === 0) return [];
  return registry.listPublishers().flatMap((publisher) => {
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
    return `no template here has a step ${name}${near.length > 0 ? `, did you mean ${near.join(' or ')}?` : ''}`;
  }
  const asked = named.some(({ publishesEvents }) => publishesEvents.some(({ publisher }) => publisher === null));
  return asked ? undefined : `step ${name} declares no event without a publisher under publishes_events`;
}

function nameOf({ namespace, name, version }: TaskTemplate): string {
  return `${namespace}/${name}@${version}`;
}
