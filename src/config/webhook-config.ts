import { z } from 'zod';
import { nearNames } from '../model/near-names.ts';
import { MOST_DELIVERIES } from './defaults.ts';
import { beginning, flag, patterns, seconds, type ValueForm, whole, word } from './value-forms.ts';

/** One `[[events.webhooks]]` in the file, with the defaults of `webhookSink`. Times in milliseconds. */
export interface WebhookConfig {
  name: string;
  url: string;
  secrets?: string[] | undefined;
  headers?: Record<string, string> | undefined;
  body?: 'event' | 'envelope' | undefined;
  allowPrivate?: boolean | undefined;
  group?: string | undefined;
  patterns?: string[] | undefined;
  from?: 'now' | 'beginning' | undefined;
  concurrency?: number | undefined;
  timeoutMs?: number | undefined;
  maxDeliveries?: number | undefined;
}

/** The description of a webhook's URL, after "must be". */
export const WEBHOOK_URL_WORDS = 'an http or https URL without user and password; use `headers` for an authorization';

/** Returns whether events can be posted to a URL. */
export function isWebhookUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hostname } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '' && hostname !== '';
}

/** The description of a secret, after "must be". */
export const WEBHOOK_SECRET_WORDS = '`whsec_` and the base64 of 24 to 64 random bytes';

/** Returns whether a string is a secret in the form of Standard Webhooks. */
export function isWebhookSecret(text: string): boolean {
  const [, base64] = /^whsec_([A-Za-z\d+/]+={0,2})$/.exec(text) ?? [];
  if (base64 === undefined || base64.length % 4 !== 0) return false;
  const { length } = Buffer.from(base64, 'base64');
  return length >= 24 && length <= 64;
}

/** The description of a header, after "must be". */
export const WEBHOOK_HEADER_WORDS =
  'a header that the delivery does not set itself, with a value of visible characters';

const RESERVED_HEADERS =
  /^(webhook-.*|content-(type|length)|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|proxy-.*)$/i;

/** Returns whether a header may be configured. */
export function isWebhookHeader(name: string, value: string): boolean {
  return /^[!#$%&'*+.^_`|~\w-]+$/.test(name) && !RESERVED_HEADERS.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

const concurrency = whole(1, 1_000);
const timeout = seconds(100);
const maxDeliveries = whole(1, MOST_DELIVERIES);

const TABLE = z.strictObject({
  name: z.string().regex(/^[\w.-]{1,100}$/),
  url: z.string().refine(isWebhookUrl),
  secrets: z.array(z.string().refine(isWebhookSecret)).optional(),
  headers: z
    .record(z.string(), z.string())
    .refine((headers) => Object.entries(headers).every(([name, value]) => isWebhookHeader(name, value)))
    .optional(),
  body: z.enum(['event', 'envelope']).optional(),
  allow_private: flag.schema.optional(),
  group: word.schema.optional(),
  patterns: patterns.schema.optional(),
  from: beginning.schema.optional(),
  concurrency: concurrency.schema.optional(),
  timeout_seconds: timeout.schema.optional(),
  max_deliveries: maxDeliveries.schema.optional(),
});

/** The description of each value, after "must be". */
const WORDS: Readonly<Record<keyof typeof TABLE.shape, string>> = {
  name: 'a name of letters, digits, ".", "_" and "-"',
  url: WEBHOOK_URL_WORDS,
  secrets: WEBHOOK_SECRET_WORDS,
  headers: `a table of headers, each ${WEBHOOK_HEADER_WORDS}`,
  body: 'event or envelope',
  allow_private: flag.words,
  group: word.words,
  patterns: patterns.words,
  from: beginning.words,
  concurrency: concurrency.words,
  timeout_seconds: timeout.words,
  max_deliveries: maxDeliveries.words,
};

/** Describes an issue with one webhook, or with the list. */
function explain(issue: z.core.$ZodIssue): string {
  const [, field, ...within] = issue.path;
  if (issue.code === 'unrecognized_keys') {
    const near = nearNames(issue.keys[0]!, Object.keys(TABLE.shape), 1)[0];
    return `has unknown key ${issue.keys.join(', ')}; ${near === undefined ? `the keys are ${Object.keys(TABLE.shape).join(', ')}` : `did you mean ${near}?`}`;
  }
  if (field === 'secrets' && within.length === 0) return 'must be a list of secrets';
  if (field !== undefined) return `must be ${WORDS[field as keyof typeof WORDS]}`;
  return `must be ${issue.code === 'custom' ? issue.message : 'a table with a name and a url'}`;
}

function ofTable(table: z.output<typeof TABLE>): WebhookConfig {
  const { allow_private: allowPrivate, timeout_seconds: timeoutMs, max_deliveries: maxDeliveries, ...same } = table;
  return {
    ...same,
    ...(allowPrivate !== undefined && { allowPrivate }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(maxDeliveries !== undefined && { maxDeliveries }),
  };
}

/** The group that stores the position of a webhook in the log. */
export const webhookGroup = ({ name, group }: Pick<WebhookConfig, 'name' | 'group'>): string =>
  group ?? `webhook:${name}`;

const isUnique = (list: readonly string[]): boolean => new Set(list).size === list.length;

/** The list of webhooks in the file. */
export const webhooks: ValueForm<WebhookConfig[]> = {
  schema: z
    .array(TABLE.transform(ofTable))
    .refine((list) => isUnique(list.map(({ name }) => name)), { error: 'a list in which each name occurs once' })
    .refine((list) => !isUnique(list.map(({ name }) => name)) || isUnique(list.map(webhookGroup)), {
      error: 'a list in which each group occurs once',
    }),
  words: 'a list of tables, each with a name and a url',
  shown: (list) => list.map(shownWebhook),
  explain,
};

const HIDDEN = '***';

/** Hides the secrets of a webhook. A URL often ends with a secret, so only its host is shown. */
function shownWebhook({ url, secrets, headers, ...rest }: WebhookConfig): unknown {
  return {
    ...rest,
    url: shownWebhookUrl(url),
    ...(secrets && { secrets: secrets.map(() => HIDDEN) }),
    ...(headers && { headers: Object.fromEntries(Object.keys(headers).map((name) => [name, HIDDEN])) }),
  };
}

/** Returns a URL for logs, without the part after the host, which may be a secret. */
export function shownWebhookUrl(url: string): string {
  if (!URL.canParse(url)) return HIDDEN;
  const { origin, pathname, search } = new URL(url);
  return pathname === '/' && search === '' ? origin : `${origin}/${HIDDEN}`;
}
