import type { TemplateListRow } from '../../store/templates.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { digestOf } from '../../template/template-digest.ts';
import { nameOf } from './project.ts';

/**
 * The templates that the database has with different content under the same name and version. New tasks get that
 * content.
 */
export function differingTemplates(
  templates: readonly TaskTemplate[],
  registered: readonly Pick<TemplateListRow, 'namespace' | 'name' | 'version' | 'digest'>[],
): TaskTemplate[] {
  const digests = new Map(
    registered.map(({ namespace, name, version, digest }) => [`${namespace}/${name}@${version}`, digest]),
  );
  return templates.filter((template) => {
    const digest = digests.get(nameOf(template));
    return digest !== undefined && digest !== digestOf(template);
  });
}
