import { shownWebhookUrl } from '../../config/webhook-config.ts';
import { PermanentError, RetryableError } from '../../handlers/failures/handler-errors.ts';
import type { PostAnswer } from './post-json.ts';

/** Answers about the message itself, or that nobody wants one any more: another delivery would get the same. */
const FINAL: Readonly<Record<number, string>> = {
  400: 'it refuses the message',
  410: 'it is gone',
  413: 'the message is too large for it',
  415: 'it takes no JSON',
  422: 'it refuses the message',
};

/** The error of an answer that is no delivery. */
export function webhookFailure(to: string, answer: PostAnswer, url: URL): Error | undefined {
  const { status, retryAfter, location } = answer;
  if (status >= 200 && status < 300) return undefined;
  const final = FINAL[status];
  if (final) return new PermanentError(`${to} answered ${status}: ${final}`, { statusCode: status });
  const isRedirect = status >= 300 && status < 400 && location !== undefined;
  const why = isRedirect ? `, which leads to ${shownLocation(location, url)}: redirects are not followed` : '';
  return new RetryableError(`${to} answered ${status}${why}`, {
    statusCode: status,
    ...(retryAfter !== undefined && { retryAfter }),
  });
}

function shownLocation(location: string, url: URL): string {
  return URL.canParse(location, url.href) ? shownWebhookUrl(new URL(location, url).href) : 'no address';
}
