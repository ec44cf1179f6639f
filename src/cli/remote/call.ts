import { ROUTES, type Route } from '../../client/contract.ts';
import type { Client } from '../../client/index.ts';
import { decodeShape } from '../../contract/codec.ts';
import { SHAPES } from '../../contract/shapes.ts';
import { requestOf } from './requests.ts';

/** The name of a verb of the contract: its noun and its own name. */
export type VerbName = {
  [Noun in keyof typeof ROUTES]: `${Noun}.${keyof (typeof ROUTES)[Noun] & string}`;
}[keyof typeof ROUTES];

/**
 * Calls a verb of a server with the arguments of the library: the parameters of the path, and then options, which become
 * the query or the body. Returns the response in the form of the library.
 */
export type CallVerb = <T>(verb: VerbName, ...given: unknown[]) => Promise<T>;

type Method = (...given: unknown[]) => Promise<unknown>;

/** Returns a function that calls the verbs of a server. */
export function callerOf(client: Client): CallVerb {
  return async <T>(verb: VerbName, ...given: unknown[]) => {
    const [noun, name] = verb.split('.') as [keyof typeof ROUTES, string];
    const { method, path, takes } = (ROUTES[noun] as Record<string, Route>)[name]!;
    const count = path.split('{').length - 1;
    const options = given.slice(count).filter((one) => one !== undefined);
    const wrong = options.find((one) => typeof one !== 'object');
    if (wrong !== undefined) throw new TypeError(`${verb} takes options, got ${String(wrong)}`);
    const request = takes ? [requestOf(Object.assign({}, ...options) as object, { acts: method !== 'GET' })] : [];
    const group = client[noun] as unknown as Readonly<Record<string, Method>>;
    return decoded<T>(verb, await group[name]!(...given.slice(0, count), ...request));
  };
}

/** Returns the response of a verb in the form of the library. */
export function decoded<T>(verb: VerbName | 'bulkActs.preview', json: unknown): T {
  const [noun = '', name = ''] = verb.split('.');
  return decodeShape(SHAPES[noun]?.[name] ?? 0, json) as T;
}
