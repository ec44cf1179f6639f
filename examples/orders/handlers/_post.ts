import { PermanentError, RetryableError } from 'tasker-core';
import { z } from 'zod';
import { refuse } from './_refuse.ts';

/** A request to one of the shop's services. */
interface Request<Answer> {
  /** The service. Its address is in the variable `PAYMENTS_URL` or `WAREHOUSE_URL`. */
  service: 'payments' | 'warehouse';
  path: string;
  /**
   * The idempotency key, which is the same in every attempt of a step. The service may have processed a request without
   * a response. It recognizes the key and repeats its response.
   */
  idempotencyKey: string;
  body: object;
  /** The schema of the response. */
  answer: z.ZodType<Answer>;
  /** The signal of the step, aborted at its timeout and when the worker stops. */
  signal: AbortSignal;
}

const Refusal = z.object({ code: z.string(), message: z.string() });

/** Sends a request. Returns the response, or throws an error that the engine retries or not. */
export async function post<Answer>(request: Request<Answer>): Promise<Answer> {
  const { service } = request;
  const { response, text } = await send(request);

  if (response.ok) return request.answer.parse(JSON.parse(text));
  if (response.status === 429 || response.status >= 500) {
    throw new RetryableError(`${service} answered ${response.status}`, {
      errorType: `http_${response.status}`,
      // Null if the service sends no delay; then the template's backoff applies.
      retryAfter: response.headers.get('retry-after') ?? undefined,
    });
  }
  const isJson = response.headers.get('content-type')?.includes('json');
  const refusal = Refusal.safeParse(isJson ? JSON.parse(text) : null);
  if (refusal.success) refuse(refusal.data.code, refusal.data.message);
  throw new PermanentError(`${service} answered ${response.status}`, { errorType: `http_${response.status}` });
}

async function send({ service, path, idempotencyKey, body, signal }: Request<unknown>) {
  const url = new URL(path, addressOf(service));
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
      body: JSON.stringify(body),
      signal,
    });
    return { response, text: await response.text() };
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new RetryableError(`the connection to ${service} was lost`, { errorType: 'connection_lost', cause });
  }
}

function addressOf(service: 'payments' | 'warehouse'): string {
  const variable = `${service.toUpperCase()}_URL`;
  const address = process.env[variable];
  if (address) return address;
  throw new PermanentError(`${variable} is not set; set it to the address of the ${service} service`);
}
