import { TaskerError } from '../errors.ts';
import { isStorableText } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { checkClient } from './callers-transaction.ts';
import type { CreateOptions, TaskRequest } from './create-task.ts';
import { shownValue } from './shown-value.ts';

// JavaScript callers may pass anything as a request: a proxy, an object whose getter throws, or an array that changes
// while the templates are loaded. So each field is read exactly once, here.

/** Maximum number of tags that are copied. {@link createTasks} rejects more than 1,000. */
const MAX_TAGS = 1_001;

/**
 * Copies the requests, reading each field once. Checks only the fields that name the template; the others are checked
 * later.
 * @throws TaskerError `bad_request` if a request cannot be read or does not name a template
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
  refuseUnknownFields(given, REQUEST_FIELDS, `${what} of a task`);
  const request = fieldsOf(given as TaskRequest, what);
  const { name, namespace = 'default', version = name } = request;
  if (![name, namespace, version].every((part) => typeof part === 'string' && part !== '' && isStorableText(part))) {
    throw new TaskerError(
      'bad_request',
      'a request for a task needs the name of the template; name, namespace and version must be non-empty strings',
    );
  }
  return request;
}

const REQUEST_FIELDS: Readonly<Record<keyof TaskRequest, true>> = {
  name: true,
  namespace: true,
  version: true,
  context: true,
  priority: true,
  idempotencyKey: true,
  initiator: true,
  sourceSystem: true,
  reason: true,
  tags: true,
  correlationId: true,
  parentCorrelationId: true,
  traceparent: true,
  startAt: true,
  delayMs: true,
  createdWith: true,
  keyInHeader: true,
};

/** Rejects unknown fields, so that a misspelt `idempotencyKey` does not create a second task. */
function refuseUnknownFields(given: object, known: Readonly<Record<string, true>>, where: string): void {
  let names: string[];
  try {
    names = Object.keys(given);
  } catch (cause) {
    throw new TaskerError('bad_request', `${where} cannot be read`, { cause });
  }
  const unknown = names.find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const [near] = nearNames(unknown, Object.keys(known), 1);
  const way = near === undefined ? `the fields are ${Object.keys(known).join(', ')}` : `did you mean ${near}?`;
  throw new TaskerError('bad_request', `${where}: unknown field ${shownValue(unknown)}; ${way}`);
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
      startAt: read('startAt'),
      delayMs: read('delayMs'),
      createdWith: read('createdWith'),
      keyInHeader: read('keyInHeader'),
    };
  } catch (cause) {
    throw new TaskerError(
      'bad_request',
      `${what} of a task cannot be read: its property ${reading} throws; pass a plain object`,
      {
        cause,
      },
    );
  }
}

function copied(tags: string[] | undefined): string[] | undefined {
  return Array.isArray(tags) ? Array.from({ length: Math.min(tags.length, MAX_TAGS) }, (_, i) => tags[i]!) : tags;
}

/** Reads and checks the options of createTask. @throws TaskerError `bad_request` */
export function readCreateOptions(
  options: CreateOptions | undefined,
): Required<Omit<CreateOptions, 'client'>> & Pick<CreateOptions, 'client'> {
  if (typeof options === 'object' && options !== null) {
    refuseUnknownFields(options, { onDuplicate: true, client: true }, 'the options of createTask');
  }
  let onDuplicate: unknown;
  let client: CreateOptions['client'];
  try {
    onDuplicate = options?.onDuplicate ?? 'error';
    client = options?.client;
  } catch (cause) {
    throw new TaskerError(
      'bad_request',
      'the options of createTask cannot be read: the property onDuplicate throws; pass a plain object',
      { cause },
    );
  }
  if (client !== undefined) checkClient(client);
  if (onDuplicate === 'error' || onDuplicate === 'return') return { onDuplicate, client };
  throw new TaskerError('bad_request', "onDuplicate must be 'error' or 'return'");
}
