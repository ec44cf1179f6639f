import { afterAll, beforeAll, expect, it } from 'vitest';
import { CONTRACT } from '../../src/contract/contract.ts';
import { serverProcess } from '../../src/contract/process.ts';
import type { Verb } from '../../src/contract/verb.ts';
import { scopedParts } from '../../src/rest/auth/scope.ts';
import { servedApi } from '../support/rest/served-api.ts';

/** Routes that the contract leaves out: the sessions of browsers, and the protocol of workers. */
const BY_HAND =
  /^(?:GET \/v1\/auth\/providers|(?:POST|DELETE) \/v1\/session$|POST \/v1\/(?:workers|workers\/\{id\}\/heartbeat|steps\/(?:claim|batch|\{uuid\}\/\w+))$)/;

// The server of this test has no configuration to show.
const { config: _, ...process } = serverProcess;
const verbs = Object.entries({ ...CONTRACT, process }).flatMap(([noun, group]) =>
  Object.entries<Verb>(group).map(([name, verb]) => ({ name: `${noun}.${name}`, verb })),
);
const routeOf = ({ method, path }: Verb) => `${method.toUpperCase()} ${path}`;

let api: Awaited<ReturnType<typeof servedApi>>;
beforeAll(async () => {
  api = await servedApi();
});
afterAll(() => api.stop());

it('every route is a verb of the contract, except the routes that are written by hand', () => {
  const paths = Object.entries(api.document.paths as Record<string, Record<string, unknown>>);
  const routes = paths.flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes.filter((route) => !BY_HAND.test(route)).sort()).toEqual(verbs.map(({ verb }) => routeOf(verb)).sort());
});

it('no two verbs have the same route', () => {
  const routes = verbs.map(({ verb }) => routeOf(verb));
  expect(new Set(routes).size).toBe(routes.length);
});

it('a verb names what its path names, so that callers stay within their namespaces', () => {
  const wrong = verbs.filter(({ verb }) => {
    const [part] = scopedParts(verb.path.replaceAll(/\{(\w+)\}/g, ':$1'));
    return part ? part.thing !== verb.on : verb.on !== 'visible' && verb.on !== 'installation';
  });
  expect(wrong.map(({ name, verb }) => `${name} acts on ${verb.on}: ${verb.path}`)).toEqual([]);
});
