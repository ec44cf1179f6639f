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
import { messageOf } from '../../errors.ts';
import { RetryableError } from '../../handlers/failures/handler-errors.ts';
import type { EventConsumer } from '../delivery/event-consumer.ts';
import { addressesOf } from './pinned-addresses.ts';
import { type PostAnswer, postJson } from './post-json.ts';
import { checkKnown, consumingAs, demand, type SinkOptions } from './sink-options.ts';
import { webhookFailure } from './webhook-failure.ts';
import { webhookMessage } from './webhook-message.ts';
import { signatureHeaders } from './webhook-signature.ts';

/** Options of {@link webhookSink}. */
export interface WebhookSinkOptions extends SinkOptions {
  /** In messages, and in the group's name, which is `webhook:<name>` unless `group` says another. */
  name: string;
  /** http or https, without user and password. */
  url: string;
  /** `whsec_` and base64. Each signs every message, so that a receiver can change from one to the next. Default: unsigned. */
  secrets?: readonly string[] | undefined;
  /** More headers, such as an authorization. */
  headers?: Readonly<Record<string, string>> | undefined;
  /**
   * `event` (the default): type, time, payload and metadata. `envelope`: all that was recorded, with the task's context
   * and the results of other steps; for receivers that may see them.
   */
  body?: 'event' | 'envelope' | undefined;
  /** Addresses of this machine and its networks are allowed too. Default false. */
  allowPrivate?: boolean | undefined;
}

const OWN: readonly (keyof WebhookSinkOptions)[] = ['name', 'url', 'secrets', 'headers', 'body', 'allowPrivate'];

/**
 * Posts durable domain events to a URL, as JSON, signed as Standard Webhooks say. Any 2xx is a delivery. What fails is
 * sent again with the same `webhook-id`, later each time or as `Retry-After` says; 400, 410, 413, 415 and 422 are final.
 * Redirects are not followed, and only public addresses are talked to.
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
      const signed = signatureHeaders({ id: event.eventId, body: text, secrets, now: Date.now() });
      let answer: PostAnswer;
      try {
        const addresses = await addressesOf(url.hostname, { allowPrivate, signal });
        answer = await postJson({ url, addresses, headers: { ...ownHeaders, ...signed }, body: text, agent, signal });
      } catch (error) {
        throw new RetryableError(`${to} can't be reached: ${messageOf(error)}`, { cause: error });
      }
      const failure = webhookFailure(to, answer, url);
      if (failure) throw failure;
    },
    close: async () => agent.destroy(),
  };
}

/** JavaScript may have put anything there: a `'false'` would let addresses through that are not public. */
function check(who: string, options: WebhookSinkOptions): void {
  const { name, url, secrets = [], headers = {}, body, allowPrivate = false } = options;
  const named = typeof name === 'string' && /^[\w.-]{1,100}$/.test(name);
  demand('webhook', named, 'name must be a name of letters, digits, ".", "_" and "-"');
  checkKnown(who, options, OWN);
  demand(who, isWebhookUrl(url), `url must be ${WEBHOOK_URL_WORDS}`);
  demand(who, typeof allowPrivate === 'boolean', 'allowPrivate must be true or false');
  demand(who, Array.isArray(secrets), 'secrets must be a list');
  demand(who, typeof headers === 'object' && headers !== null, 'headers must be an object of texts');
  for (const [at, secret] of secrets.entries()) {
    demand(who, isWebhookSecret(secret), `secrets[${at}] must be ${WEBHOOK_SECRET_WORDS}`);
  }
  for (const [header, value] of Object.entries(headers)) {
    demand(who, isWebhookHeader(header, value), `headers: ${header} must be ${WEBHOOK_HEADER_WORDS}`);
  }
  demand(who, body === undefined || body === 'event' || body === 'envelope', 'body must be event or envelope');
}
