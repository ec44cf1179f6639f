import { shownValues } from '../../config/show/show-config.ts';
import type { ServedSettings } from './served-tasker.ts';

/** Settings as they may be shown: no passwords, and nothing that is code. */
export function shownConfig({ loaded, tasker, handlers, environment }: ServedSettings): Record<string, unknown> {
  const { templates } = tasker;
  const listed = typeof templates === 'string' ? [templates] : Array.isArray(templates) ? templates : [];
  const values = shownValues(loaded).filter(({ value }) => value !== undefined);
  return {
    ...Object.fromEntries(values.map(({ path, value }) => [path, value])),
    'common.execution.environment': environment,
    'common.task_templates.search_paths': listed.filter((one) => typeof one === 'string'),
    'worker.handlers.search_paths': handlers,
  };
}
