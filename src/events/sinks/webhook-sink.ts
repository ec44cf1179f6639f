import { createHmac } from 'node:crypto';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { packageVersion } from '../../config/package-version.ts';
import {
  isWebhookHeader,
  isWebhookSecret,
  isWebhookUrl,
  shownWebhookUrl,
  WEBHOOK_HEADER_WORDS,
  WEBHOOK_SECRET_WORDS,
  WEBHOOK_URL_WORDS,
  webhookGroup,
} from '../../config/webhook-config.ts';
import { type LoggedEvent, wireMetadata } from '../../engine/events/logged-event.ts';
import { messageOf } from '../../errors.ts';
import { PermanentError, RetryableError } from '../../handlers/failures/handler-errors.ts';
import type { EventConsumer } from '../delivery/event-consumer.ts';
import { addressesOf } from './pinned-addresses.ts';
import { type PostAnswer, postJson } from './post-json.ts';
import { checkKnown, consumingAs, demand, type SinkOptions } from './sink-options.ts';

/** Options of {@link webhookSink}. */
export interface WebhookSinkOptions extends SinkOptions {
  /** The name of the webhook, used in messages. The group is `webhook:<name>` unless `group` is given. */
  name: string;
  /** An http or https URL without user and password. */
  url: string;
  /**
   * Signing secrets: `whsec_` and base64. Each secret signs every message, so that secrets can be rotated. Default:
   * unsigned.
   */
  secrets?: readonly string[] | undefined;
  /** Additional headers, such as `Authorization`. */
  headers?: Readonly<Record<string, string>> | undefined;
  /**
   * The body. `event` (the default) has type, time, payload and metadata. `envelope` also has the task's context and
   * the results of other steps, for receivers that are allowed to see them.
   */
  body?: 'event' | 'envelope' | undefined;
  /** Whether private addresses are allowed, such as those of this machine. Default false. */
  allowPrivate?: boolean | undefined;
}

const OWN: readonly (keyof WebhookSinkOptions)[] = ['name', 'url', 'secrets', 'headers', 'body', 'allowPrivate'];

/**
 * Posts durable domain events to a URL as JSON, signed according to Standard Webhooks. Any 2xx status is a success.
 * Failed deliveries are retried with the same `webhook-id`, after a growing delay or the delay in `Retry-After`. The
 * statuses 400, 410, 413, 415 and 422 are permanent failures. Redirects are not followed, and only public addresses are
 * used.
 *
 * @example
 * const billing = webhookSink({
 *   name: 'billing',
 *   url: 'https://billing.example/hooks',
 *   secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
 *   patterns: ['payment.*'],
 * });
 * console.log(billing.group); // 'webhook:billing'
 * @throws TaskerError `config_invalid`
 */
export function webhookSink(options: WebhookSinkOptions): EventConsumer {
  const { name, secrets = [], headers = {}, body = 'event', allowPrivate = false, concurrency = 10 } = options;
  const who = `webhook ${name}`;
  check(who, options);
  const url = new URL(options.url);
  const to = `${who}: ${shownWebhookUrl(options.url)}`;
  const agent = new (url.protocol === 'https:' ? HttpsAgent : HttpAgent)({
    keepAlive: true,
    maxFreeSockets: concurrency,
  });
  const ownHeaders = { 'user-agent': `tasker-core/${packageVersion()}`, ...headers };
  return {
    ...consumingAs(who, webhookGroup(options as { name: string; group?: string }), options),
    async deliver(event, { halt: { signal }, envelope }) {
      const text = JSON.stringify(body === 'envelope' ? await envelope() : webhookMessage(event));
      const signed = signatureHeaders(event.eventId, text, secrets);
      let answer: PostAnswer;
      try {
        const addresses = await addressesOf(url.hostname, { allowPrivate, signal });
        answer = await postJson({ url, addresses, headers: { ...ownHeaders, ...signed }, body: text, agent, signal });
      } catch (error) {
        throw new RetryableError(`${to} cannot be reached: ${messageOf(error)}`, { cause: error });
      }
      const failure = webhookFailure(to, answer, url);
      if (failure) throw failure;
    },
    close: async () => agent.destroy(),
  };
}

/** Checks the types for callers in JavaScript. For example, `allowPrivate: 'false'` would allow private addresses. */
function check(who: string, options: WebhookSinkOptions): void {
  const { name, url, secrets = [], headers = {}, body, allowPrivate = false } = options;
  const named = typeof name === 'string' && /^[\w.-]{1,100}$/.test(name);
  demand('webhook', named, 'name must consist of letters, digits, ".", "_" and "-"');
  checkKnown(who, options, OWN);
  demand(who, isWebhookUrl(url), `url must be ${WEBHOOK_URL_WORDS}`);
  demand(who, typeof allowPrivate === 'boolean', 'allowPrivate must be true or false');
  demand(who, Array.isArray(secrets), 'secrets must be a list');
  demand(who, typeof headers === 'object' && headers !== null, 'headers must be an object with string values');
  for (const [at, secret] of secrets.entries()) {
    demand(who, isWebhookSecret(secret), `secrets[${at}] must be ${WEBHOOK_SECRET_WORDS}`);
  }
  for (const [header, value] of Object.entries(headers)) {
    demand(who, isWebhookHeader(header, value), `headers: ${header} must be ${WEBHOOK_HEADER_WORDS}`);
  }
  demand(who, body === undefined || body === 'event' || body === 'envelope', 'body must be event or envelope');
}

/**
 * The body of a webhook: `type`, `timestamp` and `data` as in Standard Webhooks, with the event's ids and metadata. It has
 * no other data of the task, because only the payload is meant for other systems.
 */
function webhookMessage(event: LoggedEvent) {
  return {
    type: event.name,
    timestamp: event.firedAt,
    data: event.payload,
    event_id: event.eventId,
    event_version: event.version,
    metadata: wireMetadata(event),
  };
}

/** The headers of Standard Webhooks, with one signature for each secret, so that secrets can be rotated. */
function signatureHeaders(id: string, body: string, secrets: readonly string[]): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const named = { 'webhook-id': id, 'webhook-timestamp': timestamp };
  if (secrets.length === 0) return named;
  const signed = `${id}.${timestamp}.${body}`;
  const signatures = secrets.map(
    (secret) => `v1,${createHmac('sha256', keyOf(secret)).update(signed).digest('base64')}`,
  );
  return { ...named, 'webhook-signature': signatures.join(' ') };
}

const keyOf = (secret: string): Buffer => Buffer.from(secret.slice('whsec_'.length), 'base64');

/** Statuses of permanent failures: another delivery would get the same response. */
const FINAL: Readonly<Record<number, string>> = {
  400: 'the receiver rejects the message',
  410: 'the receiver is gone',
  413: 'the message is too large for the receiver',
  415: 'the receiver does not accept JSON',
  422: 'the receiver rejects the message',
};

/** Returns the error for an unsuccessful response. Undefined for a 2xx status. */
function webhookFailure(to: string, answer: PostAnswer, url: URL): Error | undefined {
  const { status, retryAfter, location } = answer;
  if (status >= 200 && status < 300) return undefined;
  const final = FINAL[status];
  if (final) return new PermanentError(`${to} returned ${status}: ${final}`, { statusCode: status });
  const isRedirect = status >= 300 && status < 400 && location !== undefined;
  const why = isRedirect ? `, a redirect to ${shownLocation(location, url)}; redirects are not followed` : '';
  return new RetryableError(`${to} returned ${status}${why}`, {
    statusCode: status,
    ...(retryAfter !== undefined && { retryAfter }),
  });
}

function shownLocation(location: string, url: URL): string {
  return URL.canParse(location, url.href) ? shownWebhookUrl(new URL(location, url).href) : 'an invalid address';
}
