import { TaskerError } from '../errors.ts';
import { isStorableText } from '../model/json.ts';
import type { CreateOptions, TaskRequest } from './create-task.ts';

// JavaScript may pass anything as a request: a proxy, a getter that throws, or an array that changes while the
// templates are read. Each field is read once, here.

/** Maximum number of tags that are copied. {@link createTasks} refuses more. */
const MOST_TAGS = 1_001;

/**
 * The requests with their fields, each read once. Values are checked later, except for
 * the fields that name the template.
 * @throws TaskerError `bad_request` when one can't be read, or does not name a template
 */
export function readRequests(given: readonly TaskRequest[]): TaskRequest[] {
  return listed(given).map((request, i, all) =>
    readRequest(request, `the request${all.length > 1 ? ` number ${i + 1}` : ''}`),
  );
}

function listed(given: unknown): unknown[] {
  const message = 'createTasks takes an array of requests; for one request use createTask';
  try {
    if (Array.isArray(given)) return Array.from(given as unknown[]);
  } catch (cause) {
    throw new TaskerError('bad_request', message, { cause });
  }
  throw new TaskerError('bad_request', message);
}

function readRequest(given: unknown, what: string): TaskRequest {
  if (typeof given !== 'object' || given === null) {
    throw new TaskerError('bad_request', `${what} of a task must be an object with the name of a template`);
  }
  const request = fieldsOf(given as TaskRequest, what);
  const { name, namespace = 'default', version = '1.0.0' } = request;
  if (![name, namespace, version].every((part) => typeof part === 'string' && part !== '' && isStorableText(part))) {
    throw new TaskerError('bad_request', 'a task needs the name, namespace and version of its template, as strings');
  }
  return request;
}

function fieldsOf(given: TaskRequest, what: string): TaskRequest {
  let reading = 'name';
  const read = <Key extends keyof TaskRequest>(key: Key): TaskRequest[Key] => {
    reading = key;
    return given[key];
  };
  try {
    return {
      name: read('name'),
      namespace: read('namespace'),
      version: read('version'),
      context: read('context'),
      priority: read('priority'),
      idempotencyKey: read('idempotencyKey'),
      initiator: read('initiator'),
      sourceSystem: read('sourceSystem'),
      reason: read('reason'),
      tags: copied(read('tags')),
      correlationId: read('correlationId'),
      parentCorrelationId: read('parentCorrelationId'),
      traceparent: read('traceparent'),
    };
  } catch (cause) {
    throw new TaskerError('bad_request', `${what} of a task can't be read: its ${reading} throws when it is read`, {
      cause,
    });
  }
}

function copied(tags: string[] | undefined): string[] | undefined {
  return Array.isArray(tags) ? Array.from({ length: Math.min(tags.length, MOST_TAGS) }, (_, i) => tags[i]!) : tags;
}

/** Reads how to treat a task whose identity exists. @throws TaskerError `bad_request` */
export function readCreateOptions(options: CreateOptions | undefined): Required<CreateOptions> {
  let onDuplicate: unknown;
  try {
    onDuplicate = options?.onDuplicate ?? 'error';
  } catch (cause) {
    throw new TaskerError('bad_request', "the options of createTask can't be read: onDuplicate throws", { cause });
  }
  if (onDuplicate === 'error' || onDuplicate === 'return') return { onDuplicate };
  throw new TaskerError('bad_request', "onDuplicate must be 'error' or 'return'");
}
