import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from './public-address.ts';
import { untilAborted } from './sink-options.ts';

/** An address that events must not be sent to. */
export class PrivateAddressError extends Error {
  override readonly name = 'PrivateAddressError';
}

/**
 * The addresses of a host, as they are now. One that is not public is refused, and with it the host, unless it is allowed:
 * who can name any host could have this machine talk to what only it can reach.
 */
export async function addressesOf(
  hostname: string,
  { allowPrivate, signal }: { allowPrivate: boolean; signal: AbortSignal },
): Promise<LookupAddress[]> {
  const host = hostname.replace(/^\[|\]$/g, '');
  const family = isIP(host);
  const found = family ? [{ address: host, family }] : await untilAborted(lookup(host, { all: true }), signal);
  const wrong = allowPrivate ? undefined : found.find(({ address }) => !isPublicAddress(address));
  if (!wrong) return found;
  const what = wrong.address === host ? host : `${host} is ${wrong.address}, which`;
  throw new PrivateAddressError(
    `${what} is not a public address; allow_private = true (in a program allowPrivate: true) allows it`,
  );
}

/** Answers with addresses that were looked up before, so that the name can't mean others by the time of the connection. */
export function pinnedTo(addresses: readonly LookupAddress[]): LookupFunction {
  const [first] = addresses;
  return (_, { all }, callback) => {
    if (all) callback(null, [...addresses]);
    else callback(null, first!.address, first!.family);
  };
}
