import { PermanentError, RetryableError } from 'tasker-core';
import { z } from 'zod';
import { refuse } from './_refuse.ts';

/** One request to one of the shop's services. */
interface Request<Answer> {
  /** Where it goes: its address is in the variable `PAYMENTS_URL` or `WAREHOUSE_URL`. */
  service: 'payments' | 'warehouse';
  path: string;
  /**
   * The same in every attempt of a step. An attempt that got no answer may have been served all the same: by this key
   * the service knows that it was, and answers as it did then.
   */
  idempotencyKey: string;
  body: object;
  /** What the answer must look like. */
  answer: z.ZodType<Answer>;
  /** The step's: it fires at the timeout, and when the worker stops. */
  signal: AbortSignal;
}

const Refusal = z.object({ code: z.string(), message: z.string() });

/** Sends a request, and turns what may come back into what the engine knows: an answer, a refusal, or "try again". */
export async function post<Answer>(request: Request<Answer>): Promise<Answer> {
  const { service } = request;
  const { response, text } = await send(request);

  if (response.ok) return request.answer.parse(JSON.parse(text));
  if (response.status === 429 || response.status >= 500) {
    throw new RetryableError(`${service} answered ${response.status}`, {
      errorType: `http_${response.status}`,
      // Null when the service names no time: then the template's backoff holds.
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
    throw new RetryableError(`the connection to ${service} broke`, { errorType: 'connection_lost', cause });
  }
}

function addressOf(service: 'payments' | 'warehouse'): string {
  const variable = `${service.toUpperCase()}_URL`;
  const address = process.env[variable];
  if (address) return address;
  throw new PermanentError(`${variable} is not set; it is where the ${service} service listens`);
}
