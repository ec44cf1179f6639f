import { z } from 'zod';
import { isFields } from '../../model/json.ts';

/**
 * The kind of a value whose keys and contents the contract does not know. It decides which rule hides the value, or parts
 * of it: see decision 0029.
 *
 * - `context`: the context of a task or schedule, or a part of it
 * - `result`: the result of a step, or what a handler or an approver gave with it
 * - `payload`: the payload of a signal or an event
 * - `public`: no rule applies. Templates, settings, details of errors, filters, and remarks of operators
 */
export type UserJsonKind = 'context' | 'result' | 'payload' | 'public';

/** The kind of every schema of user-defined JSON in the contract. Other schemas must not accept unknown values. */
export const USER_JSON = z.registry<{ kind: UserJsonKind }>();

/** The schemas of lists of names of fields, and of maps by such names. The names are converted as keys are. */
export const FIELD_NAMES = z.registry<Record<never, never>>();

/**
 * The schemas of objects whose fields have the names of the JSON in the library too, because handlers write or read them:
 * the error of a step.
 */
export const SAME_NAMES = z.registry<Record<never, never>>();

interface Described {
  description?: string;
}

/** Any JSON value. Its keys are never converted. */
export const userJson = (kind: UserJsonKind, described: Described = {}) =>
  z
    .unknown()
    .meta({ ...described })
    .register(USER_JSON, { kind });

/** A JSON object with any keys and values, in a response. Its keys are never converted. */
export const userFields = (kind: UserJsonKind, described: Described = {}) =>
  z
    .record(z.string(), z.unknown())
    .meta({ ...described })
    .register(USER_JSON, { kind });

/** {@link userFields} of which some are known. The JSON is never converted, and its other fields are kept. */
export const knownFields = <Shape extends z.core.$ZodLooseShape>(kind: UserJsonKind, shape: Shape) =>
  z.looseObject(shape).register(USER_JSON, { kind });

/** The conditions of a search, by their names. Their values are never converted. */
export const conditions = (described: Described = {}) => userFields('context', described).register(FIELD_NAMES, {});

/** A JSON object in a request that is kept as it was sent. `z.record` would drop the key `__proto__`. */
export const givenFields = (kind: UserJsonKind) =>
  z
    .custom<Record<string, unknown>>(isFields, { error: 'Invalid input: expected an object' })
    .meta({ type: 'object', additionalProperties: {} })
    .register(USER_JSON, { kind });
