import { createHash } from 'node:crypto';
import { canonical } from './ids.ts';

/** The parts of a request to create a task that a repeated request must have too. */
export interface ComparedRequest {
  name: string;
  namespace: string;
  /** The version that the request names. Null if it names none, which is not the same as naming the one that is used. */
  version: string | null;
  /** JSON text of the context in the request, without the template's defaults. */
  context: string;
}

/** Returns a digest in hex, by which a repeated request is recognized. */
export function requestDigest({ name, namespace, version, context }: ComparedRequest): string {
  return sha256(JSON.stringify([name, namespace, version, canonical(JSON.parse(context))]));
}

/**
 * Returns the hash of a key in the header `Idempotency-Key`. Each sender has its own keys, for all templates together.
 * `sender`: null without authentication.
 */
export function requestKeyHash(sender: string | null, key: string): string {
  return sha256(JSON.stringify(['Idempotency-Key', sender, key]));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
