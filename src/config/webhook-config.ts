import { MOST_DELIVERIES } from './defaults.ts';
import { listOfTables, tableOf } from './toml/table-forms.ts';
import * as forms from './value-forms.ts';

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

/** A webhook, as the file has it. */
type WebhookTable = Omit<WebhookConfig, 'allowPrivate' | 'timeoutMs' | 'maxDeliveries'> & {
  allow_private?: boolean | undefined;
  timeout_seconds?: number | undefined;
  max_deliveries?: number | undefined;
};

const tables = listOfTables<WebhookTable>({
  fields: {
    name: forms.matching(/^[\w.-]{1,100}$/, 'a name of letters, digits, ".", "_" and "-"'),
    url: forms.fitting(isWebhookUrl, WEBHOOK_URL_WORDS),
    secrets: forms.listOf(forms.fitting(isWebhookSecret), WEBHOOK_SECRET_WORDS),
    headers: forms.refined(
      tableOf(
        forms.fitting(() => true),
        `a table of headers, each ${WEBHOOK_HEADER_WORDS}`,
      ),
      (given) => (Object.entries(given).every(([name, value]) => isWebhookHeader(name, value)) ? given : forms.WRONG),
    ),
    body: forms.oneOf(['event', 'envelope'], 'event or envelope'),
    allow_private: forms.flag,
    group: forms.word,
    patterns: forms.patterns,
    from: forms.beginning,
    concurrency: forms.whole(1, 1_000),
    timeout_seconds: forms.seconds(100),
    max_deliveries: forms.whole(1, MOST_DELIVERIES),
  },
  required: ['name', 'url'],
  words: 'a list of tables, each with a name and a url',
  each: 'a table with a name and a url',
  asList: { secrets: 'a list of secrets' },
  // A value may be wrong.
  together: (list) => {
    const named = list.filter(({ name }) => typeof name === 'string');
    const grouped = named.filter(({ group }) => typeof group !== 'symbol');
    if (!isUnique(named.map(({ name }) => name))) return 'a list in which each name occurs once';
    return isUnique(grouped.map(webhookGroup)) ? undefined : 'a list in which each group occurs once';
  },
});

function ofTable(table: WebhookTable): WebhookConfig {
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
export const webhooks: forms.ValueForm<WebhookConfig[]> = {
  ...forms.refined(tables, (list) => list.map(ofTable)),
  shown: (list) => list.map(shownWebhook),
  faults: tables.faults,
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
