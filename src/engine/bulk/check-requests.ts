import { isTaskerError, type TaskerError } from '../../errors.ts';
import { requestedTemplate } from '../../template/template-name.ts';
import { newTask, type TaskRequest, templateOf } from '../create-task.ts';
import { readRequests } from '../read-requests.ts';
import type { TemplateStore } from '../template-store.ts';

/**
 * Checks requests one by one, as {@link createTasks} would, without creating anything. Returns the error of each
 * rejected request, and undefined for the others.
 */
export async function checkRequests(
  templates: TemplateStore,
  requests: readonly TaskRequest[],
): Promise<(TaskerError | undefined)[]> {
  const missing = new Map<string, TaskerError>();
  const errors: (TaskerError | undefined)[] = [];
  for (const request of requests) errors.push(await errorOf(templates, request, missing));
  return errors;
}

/** `missing`: the errors of templates that were not found, so that each template is looked up once. */
async function errorOf(
  templates: TemplateStore,
  given: TaskRequest,
  missing: Map<string, TaskerError>,
): Promise<TaskerError | undefined> {
  let key = '';
  try {
    const [request] = readRequests([given]);
    key = requestedTemplate(request!);
    const known = missing.get(key);
    if (known) return known;
    newTask(request!, (await templateOf(templates, request!)).snapshot, 0);
    return undefined;
  } catch (error) {
    if (!isTaskerError(error)) throw error;
    if (error.code === 'template_not_found') missing.set(key, error as TaskerError);
    return error as TaskerError;
  }
}
