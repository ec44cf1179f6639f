import type { Tasker } from '../../app/tasker.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { templateChanges } from '../../template/template-changes.ts';
import { templateToJson } from '../../template/template-json.ts';
import type { BodiesOf } from '../verb-routes.ts';

/** The bodies of the verbs for templates. */
export function templateVerbs(tasker: Tasker): BodiesOf<'templates'> {
  const registered = tasker.engine.templates;
  const whole = ({ namespace, name }: { namespace: string; name: string }) => ({ template: `${namespace}/${name}` });
  const version = (of: { namespace: string; name: string; version: string }) => ({
    template: `${of.namespace}/${of.name}@${of.version}`,
  });
  return {
    async diff({ namespace, name, version, with: other }) {
      const [from, to] = await Promise.all([
        registered.newest(namespace, name, other),
        registered.newest(namespace, name, version),
      ]);
      const changes = templateChanges(comparable(from.template), comparable(to.template));
      return { namespace, name, fromVersion: other, toVersion: version, changes };
    },
    activate: (given, { operator }) => tasker.activateTemplate(version(given).template, operator),
    pause: (given, { operator }) => tasker.pause(whole(given), operator),
    resume: (given, { operator }) => tasker.resume(whole(given), operator),
    pauseVersion: (given, { operator }) => tasker.pause(version(given), operator),
    resumeVersion: (given, { operator }) => tasker.resume(version(given), operator),
  };
}

/** Omits the version, which always differs. */
function comparable(template: TaskTemplate): Record<string, unknown> {
  const { version: _, ...rest } = templateToJson(template);
  return rest;
}
