import { TaskerClientError } from '../../client/index.ts';
import { type ErrorCode, TaskerError } from '../../errors.ts';

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'bad_request',
  401: 'forbidden',
  403: 'forbidden',
  404: 'not_found',
  408: 'timeout',
  409: 'conflict',
  413: 'bad_request',
};

/** Returns an error of the client as an error of the command line, with advice. */
export function serverError(error: unknown, server: string): unknown {
  if (!(error instanceof TaskerClientError)) return error;
  const { status, message, details, code } = error;
  const as = (known: ErrorCode, text: string) => new TaskerError(known, text, { cause: error, details });
  if (code === 'INVALID_UUID') return as('invalid_uuid', message);
  if (code === 'INVALID_OPTION') return as('bad_request', message.replace(/^baseUrl: /, 'the server: '));
  if (code === 'INVALID_ANSWER' && status !== undefined && status < 300) {
    return as('server_unreachable', `${message}; check that ${server} is the address of a \`tasker server\``);
  }
  if (status === undefined) return as('server_unreachable', message);
  if (status >= 500) return as('server_unreachable', `${server} returned ${status}: ${message}`);
  if (status === 401) {
    return as(
      'forbidden',
      `${server} rejected the credential: ${message}; set TASKER_API_KEY, or save the key with \`tasker profile set\``,
    );
  }
  if (status === 404 && /^route (GET|POST|PATCH|DELETE) \//.test(message)) {
    return as(
      'not_found',
      `${message.split(';')[0]} on ${server}: it is not a tasker server, or its version differs; check the address`,
    );
  }
  return as(CODES[status] ?? 'bad_request', message);
}

/**
 * Returns an object whose methods report errors of the client as errors of the command line. `refuse` creates the error
 * for a missing method.
 */
export function reporting<T extends object>(target: T, server: string, refuse: () => never): T {
  const failed = (error: unknown) => {
    throw serverError(error, server);
  };
  return new Proxy(target, {
    get(_, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value === 'function') {
        return (...given: unknown[]) => {
          const answer: unknown = Reflect.apply(value, target, given);
          if (answer instanceof Promise) return answer.catch(failed);
          if (isGenerator(answer)) return each(answer, failed);
          return typeof answer === 'object' && answer !== null ? reporting(answer, server, refuse) : answer;
        };
      }
      if (value === undefined && typeof key === 'string' && key !== 'then') refuse();
      return typeof value === 'object' && value !== null ? reporting(value, server, refuse) : value;
    },
  });
}

function isGenerator(value: unknown): value is AsyncGenerator {
  return typeof value === 'object' && value !== null && 'next' in value && Symbol.asyncIterator in value;
}

async function* each<T>(items: AsyncGenerator<T>, failed: (error: unknown) => never): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    failed(error);
  }
}
