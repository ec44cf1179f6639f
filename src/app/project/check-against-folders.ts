import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Surroundings } from '../../config/surroundings.ts';
import { PublisherNotFoundError } from '../../events/publishing/publisher-errors.ts';
import { PublisherRegistry } from '../../events/publishing/publisher-registry.ts';
import { silentLogger } from '../../logging/logger.ts';
import type { HandlerProblem } from '../../registry/check-handlers.ts';
import { problemsAt, type TemplateProblem } from '../../template/parse-template.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { eventRegistries } from '../event-registries.ts';
import type { NamedStepProblem } from './check-named-steps.ts';
import { HandlerFolders } from './handler-folders.ts';
import type { LoadedTemplates } from './load-templates.ts';

/**
 * Returns the problems of templates with their places in the files: missing handlers, handlers that refer to unknown
 * steps, and events whose publisher is missing. `cwd`: the folder of relative paths.
 * @throws TaskerError `handler_invalid`, `handler_not_found` if the folders cannot be read
 */
export async function checkAgainstFolders(
  { fileOf }: Pick<LoadedTemplates, 'fileOf'>,
  folders: readonly string[],
  { cwd = '' }: Partial<Surroundings> = {},
): Promise<TemplateProblem[]> {
  const events = eventRegistries({}, silentLogger);
  const places = folders.map((folder) => path.resolve(cwd, folder));
  const handlers = new HandlerFolders(places, { logger: silentLogger, events });
  await handlers.load();
  const problems: TemplateProblem[] = [];
  const named = await handlers.namedStepProblems([...fileOf.keys()]);
  for (const [template, file] of fileOf) {
    const missing = (await handlers.problems([template])).flatMap((problem) =>
      findingsOf(problem, { template, folders }),
    );
    const unknownSteps = named.flatMap((problem) => (problem.template === template ? findingOf(problem) : []));
    const findings = [...missing, ...unknownSteps, ...withoutPublisher(template, events.publishers)];
    if (findings.length > 0)
      problems.push(...problemsAt(await readFile(path.resolve(cwd, file), 'utf8'), findings, file));
  }
  return problems;
}

function findingsOf(
  { missing, message, near, steps }: HandlerProblem,
  { template, folders }: { template: TaskTemplate; folders: readonly string[] },
) {
  const advice =
    missing && near.length === 0 ? `; correct the name, or export the handler from ${folders.join(', ')}` : '';
  return steps.map((name) => ({
    severity: 'error' as const,
    code: missing ? 'handler_not_found' : 'handler_invalid',
    message: `step \`${name}\`: ${message}${advice}`,
    path: ['steps', template.steps.findIndex((step) => step.name === name), 'handler'],
  }));
}

function findingOf({ severity, code, message, template, step }: NamedStepProblem) {
  const at = template.steps.findIndex(({ name }) => name === step);
  return { severity, code, message, path: ['steps', at, 'handler'] };
}

function withoutPublisher({ steps }: TaskTemplate, publishers: PublisherRegistry) {
  return steps.flatMap((step, at) =>
    step.publishesEvents.flatMap(({ name, publisher }, place) => {
      if (publisher === null || publishers.isRegistered(publisher)) return [];
      // `tasker worker` also uses publishers that a file adds to this registry when it is imported.
      if (PublisherRegistry.instance.isRegistered(publisher)) return [];
      const { code, message } = new PublisherNotFoundError(publisher, publishers.registeredNames);
      return {
        severity: 'error' as const,
        code,
        message: `step \`${step.name}\`: event ${name}: ${message}`,
        path: ['steps', at, 'publishes_events', place, 'publisher'],
      };
    }),
  );
}
