import { z } from 'zod';
import { nearNames } from '../model/near-names.ts';
import { MOST_DELIVERIES } from './defaults.ts';
import { arePatterns, LONGEST_TIMER_MS, PATTERNS_WORDS, type ValueForm } from './value-forms.ts';

/** One `[[events.webhooks]]` of the file; what is undefined is as `webhookSink` has it. Times in milliseconds. */
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

/** What an URL must be that events are posted to, after "must be". */
export const WEBHOOK_URL_WORDS = 'an http or https URL without user and password; `headers` can hold an authorization';

/** Whether events can be posted there. */
export function isWebhookUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hostname } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '' && hostname !== '';
}

/** What a secret must be, after "must be". */
export const WEBHOOK_SECRET_WORDS = '`whsec_` and the base64 of 24 to 64 random bytes';

/** Whether a text is a secret as Standard Webhooks has them. */
export function isWebhookSecret(text: string): boolean {
  const [, base64] = /^whsec_([A-Za-z\d+/]+={0,2})$/.exec(text) ?? [];
  if (base64 === undefined || base64.length % 4 !== 0) return false;
  const { length } = Buffer.from(base64, 'base64');
  return length >= 24 && length <= 64;
}

/** What a header must be, after "must be". */
export const WEBHOOK_HEADER_WORDS =
  'a header that is not set by the delivery itself, with a text of visible characters';

const SET_BY_US =
  /^(webhook-.*|content-(type|length)|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|proxy-.*)$/i;

/** Whether a header may be given. */
export function isWebhookHeader(name: string, value: string): boolean {
  return /^[!#$%&'*+.^_`|~\w-]+$/.test(name) && !SET_BY_US.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

const text = z.string({ error: 'a text that is not empty' }).trim().min(1, { error: 'a text that is not empty' });
const wholeFrom1 = (most: number) => {
  const error = `a whole number from 1 to ${most}`;
  return z.int({ error }).min(1, { error }).max(most, { error });
};
const SECONDS = `a number of seconds from 0.1 to ${Math.floor(LONGEST_TIMER_MS / 1000)}`;

const TABLE = z.strictObject({
  name: z
    .string({ error: 'a name' })
    .regex(/^[\w.-]{1,100}$/, { error: 'a name of letters, digits, ".", "_" and "-"' }),
  url: z.string({ error: WEBHOOK_URL_WORDS }).refine(isWebhookUrl, { error: WEBHOOK_URL_WORDS }),
  secrets: z
    .array(z.string({ error: WEBHOOK_SECRET_WORDS }).refine(isWebhookSecret, { error: WEBHOOK_SECRET_WORDS }), {
      error: 'a list of secrets',
    })
    .optional(),
  headers: z
    .record(z.string(), z.string({ error: 'a text' }), { error: 'a table of texts' })
    .refine((headers) => Object.entries(headers).every(([name, value]) => isWebhookHeader(name, value)), {
      error: `a table of headers, each ${WEBHOOK_HEADER_WORDS}`,
    })
    .optional(),
  body: z.enum(['event', 'envelope'], { error: 'event or envelope' }).optional(),
  allow_private: z.boolean({ error: 'true or false' }).optional(),
  group: text.optional(),
  patterns: z
    .array(z.string({ error: 'a text' }).trim(), { error: PATTERNS_WORDS })
    .refine(arePatterns, { error: PATTERNS_WORDS })
    .optional(),
  from: z.enum(['now', 'beginning'], { error: 'now or beginning' }).optional(),
  concurrency: wholeFrom1(1_000).optional(),
  timeout_seconds: z
    .number({ error: SECONDS })
    .min(0.1, { error: SECONDS })
    .max(Math.floor(LONGEST_TIMER_MS / 1000), { error: SECONDS })
    .optional(),
  max_deliveries: wholeFrom1(MOST_DELIVERIES).optional(),
});

function ofTable(table: z.output<typeof TABLE>): WebhookConfig {
  const { allow_private: allowPrivate, timeout_seconds: timeout, max_deliveries: maxDeliveries, ...same } = table;
  return {
    ...same,
    ...(allowPrivate !== undefined && { allowPrivate }),
    ...(timeout !== undefined && { timeoutMs: Math.round(timeout * 1000) }),
    ...(maxDeliveries !== undefined && { maxDeliveries }),
  };
}

/** The group whose position a webhook has in the log. */
export const webhookGroup = ({ name, group }: Pick<WebhookConfig, 'name' | 'group'>): string =>
  group ?? `webhook:${name}`;

const isUnique = (list: readonly string[]): boolean => new Set(list).size === list.length;

/** The webhooks of a file. */
export const webhooks: ValueForm<WebhookConfig[]> = {
  schema: z
    .array(TABLE.transform(ofTable))
    .refine((list) => isUnique(list.map(({ name }) => name)), { error: 'a list in which each name stands once' })
    .refine((list) => !isUnique(list.map(({ name }) => name)) || isUnique(list.map(webhookGroup)), {
      error: 'a list in which each group stands once',
    }),
  words: 'a list of tables, each with a name and a url',
  shown: (list) => list.map(shownWebhook),
  explain: (issue) => {
    if (issue.code !== 'unrecognized_keys') return `must be ${issue.message}`;
    const near = nearNames(issue.keys[0]!, Object.keys(TABLE.shape), 1)[0];
    return `has no ${issue.keys.join(', ')}; ${near === undefined ? `there are ${Object.keys(TABLE.shape).join(', ')}` : `did you mean ${near}?`}`;
  },
};

const HIDDEN = '***';

/** An address often ends with a secret: of it only the host is shown. */
function shownWebhook({ url, secrets, headers, ...rest }: WebhookConfig): unknown {
  return {
    ...rest,
    url: shownWebhookUrl(url),
    ...(secrets && { secrets: secrets.map(() => HIDDEN) }),
    ...(headers && { headers: Object.fromEntries(Object.keys(headers).map((name) => [name, HIDDEN])) }),
  };
}

/** A URL as it may stand in a log: what follows the host may be a secret. */
export function shownWebhookUrl(url: string): string {
  if (!URL.canParse(url)) return HIDDEN;
  const { origin, pathname, search } = new URL(url);
  return pathname === '/' && search === '' ? origin : `${origin}/${HIDDEN}`;
}
