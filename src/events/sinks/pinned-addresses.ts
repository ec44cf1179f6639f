import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from './public-address.ts';
import { untilAborted } from './sink-options.ts';

/** Thrown for an address to which events must not be sent. */
export class PrivateAddressError extends Error {
  override readonly name = 'PrivateAddressError';
}

/**
 * Looks up the addresses of a host. Rejects if one of them is not public, unless `allowPrivate` is true. Otherwise a
 * user who configures a host could make this machine send requests into its private network.
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
    `${what} is not a public address; allow_private = true (allowPrivate: true in a program) allows it`,
  );
}

/** A DNS lookup that returns the checked addresses, so that the connection cannot go to a different address. */
export function pinnedTo(addresses: readonly LookupAddress[]): LookupFunction {
  const [first] = addresses;
  return (_, { all }, callback) => {
    if (all) callback(null, [...addresses]);
    else callback(null, first!.address, first!.family);
  };
}
