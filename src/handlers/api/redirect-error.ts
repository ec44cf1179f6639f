import { PermanentError } from '../failures/handler-errors.ts';
import { redactedUrl } from './redaction.ts';

/** The redirect that is not followed. */
interface Redirect {
  method: string;
  url: URL;
  to: string;
  why: string;
}

/** The error of a redirect that is not followed. Another attempt would be led the same way. */
export function redirectError({ method, url, to, why }: Redirect): PermanentError {
  return new PermanentError(`${method} ${redactedUrl(url.href)}: it redirects to ${redactedUrl(to)}, ${why}`, {
    errorType: 'redirect_error',
    metadata: { method, url: redactedUrl(url.href), redirect_url: redactedUrl(to) },
  });
}
