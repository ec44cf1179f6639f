import { createHmac } from 'node:crypto';

/** A message to be signed. */
export interface SignedMessage {
  id: string;
  body: string;
  /** As they are configured, `whsec_…`. */
  secrets: readonly string[];
  /** Milliseconds since 1970. */
  now: number;
}

/** The headers of Standard Webhooks: one signature for each secret, so that receivers can change from one to the next. */
export function signatureHeaders({ id, body, secrets, now }: SignedMessage): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000));
  const named = { 'webhook-id': id, 'webhook-timestamp': timestamp };
  if (secrets.length === 0) return named;
  const signed = `${id}.${timestamp}.${body}`;
  const signatures = secrets.map(
    (secret) => `v1,${createHmac('sha256', keyOf(secret)).update(signed).digest('base64')}`,
  );
  return { ...named, 'webhook-signature': signatures.join(' ') };
}

const keyOf = (secret: string): Buffer => Buffer.from(secret.slice('whsec_'.length), 'base64');
