import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Tasker } from '../app/tasker.ts';
import type { CONTRACT } from '../contract/contract.ts';
import { encode } from '../contract/encode.ts';
import type { KeyHeader } from '../contract/schemas/idempotency-key.ts';
import type { Verb } from '../contract/verb.ts';
import type { OperatorOptions } from '../engine/operator-actions.ts';
import { actorOf, type Caller, callerOf, type Remarks } from './caller.ts';
import { keyOf } from './idempotency-key.ts';
import { refuseInvalid } from './refuse-invalid.ts';
import { describeRoute } from './route.ts';
import { checkScope } from './scope.ts';

type Output<Schemas, Part extends string> = Schemas extends { [Key in Part]: infer Schema extends z.ZodType }
  ? z.output<Schema>
  : unknown;

/**
 * The request of a verb as its schemas read it: the parameters of the path and the query, and the fields of the body.
 * `idempotency_key` is the key in the header or in the body.
 */
export type Given<Described> = Described extends { takes: infer Takes }
  ? Output<Takes, 'path'> &
      Output<Takes, 'query'> &
      Output<Takes, 'body'> &
      Output<Takes, 'optionalBody'> &
      KeyOf<Takes>
  : unknown;

type KeyOf<Takes> = Takes extends { headers: z.ZodType<z.output<typeof KeyHeader>> }
  ? { idempotency_key?: string | undefined }
  : unknown;

/** The sender of a request. */
export interface Sender {
  caller: Caller;
  /** The operator of the action and its reason, for the audit. */
  operator: OperatorOptions;
}

/**
 * Carries out a verb, and returns what it gives in the form of the library. The loop checks the permission and the
 * namespace of what the path names. A verb on `visible` things limits them to the namespaces of the caller itself.
 */
export type Body<Described> = (given: Given<Described>, sender: Sender) => object | Promise<object>;

/** The bodies of verbs, by name. */
export type Bodies = Readonly<Record<string, Body<never> | undefined>>;

/** The bodies of the verbs of a noun of the contract. */
export type BodiesOf<Noun extends keyof typeof CONTRACT> = {
  [Name in keyof (typeof CONTRACT)[Noun]]?: Body<(typeof CONTRACT)[Noun][Name]>;
};

/** Creates the routes of the verbs of a noun that have a body. Responses have only the fields that the contract lists. */
export function verbRoutes(tasker: Tasker, noun: Readonly<Record<string, Verb>>, bodies: Bodies): OpenAPIHono {
  const routes = new OpenAPIHono({ defaultHook: refuseInvalid });
  const described = Object.entries(bodies).map(([name, body]) => ({
    verb: noun[name]!,
    body: body as unknown as Body<Verb>,
  }));
  // The router takes the first route that matches, so that `/v1/events/groups` must precede `/v1/events/{event_id}`.
  described.sort((a, b) => parameters(a.verb) - parameters(b.verb));
  for (const { verb, body } of described) {
    routes.openapi(describeRoute(verb), async (c) => {
      const given = givenOf(c, verb);
      const caller = callerOf(c);
      if (verb.permission !== 'public') await checkScope(tasker, caller, { on: verb.on, given });
      const view = await body(given, { caller, operator: actorOf(caller, given as Remarks) });
      return c.json(encode(verb.gives, view) as never, verb.status ?? 200) as never;
    });
  }
  return routes;
}

const parameters = ({ path }: Verb) => path.split('{').length;

function givenOf(c: Context, { takes = {} }: Verb): Record<string, unknown> {
  const valid = (part: 'param' | 'query' | 'json' | 'header') => c.req.valid(part as never) as object | undefined;
  const given = {
    ...(takes.query && valid('query')),
    ...((takes.body ?? takes.optionalBody) && valid('json')),
    ...(takes.path && valid('param')),
  };
  if (!takes.headers) return given;
  const key = keyOf(valid('header') as z.output<typeof KeyHeader>, given);
  return key === undefined ? given : { ...given, idempotency_key: key };
}
