import type { Context } from 'hono';
import { tryGetContext } from 'hono/context-storage';
import type { Permission } from '../model/permissions.ts';

/** The sender of a request, and its rights. */
export interface Caller {
  /**
   * The name that actions and votes are recorded under. Undefined without authentication; the request then names the
   * actor.
   */
  subject: string | undefined;
  /** The namespaces that the caller may see and change. Undefined means all. */
  namespaces: readonly string[] | undefined;
  /** The roles with which the caller may vote on approvals. */
  roles: readonly string[];
  /** The caller's permissions, in order. Undefined means all, because authentication is off. */
  permissions: readonly Permission[] | undefined;
  /** The kind of the caller's credential. Undefined without a credential. */
  credential: 'key' | 'token' | 'session' | undefined;
  /** The id of the API key, if the credential is a key or a session that a key began. */
  keyId: string | undefined;
  /** When the caller's credential expires, in milliseconds since 1970. Undefined means unknown. */
  expiresAtMs?: number | undefined;
  allows(permission: Permission): boolean;
}

const NO_CREDENTIAL = { subject: undefined, roles: [], credential: undefined, keyId: undefined } as const;

/** The caller of a server without authentication. */
export const ANYONE: Caller = {
  ...NO_CREDENTIAL,
  namespaces: undefined,
  permissions: undefined,
  allows: () => true,
};

/** The caller of a public route of a server with authentication. */
export const STRANGER: Caller = { ...NO_CREDENTIAL, namespaces: [], permissions: [], allows: () => false };

/** Returns the sender of the request. */
export function callerOf(c: Context): Caller {
  return (c.get('caller') as Caller | undefined) ?? ANYONE;
}

/** Returns the sender of the request in progress. Undefined outside of requests. */
export function currentCaller(): Caller | undefined {
  const c = tryGetContext();
  return c && callerOf(c);
}

/** The remarks in a body on an action. */
export interface Remarks {
  by?: string | null | undefined;
  reason?: string | null | undefined;
}

/**
 * Returns the actor and the reason of an action, for the audit. With a credential, the subject of the credential is the
 * actor, and `by` is a remark. Without one, `by` is the actor.
 */
export function actorOf({ subject }: Caller, { by, reason }: Remarks = {}): { actor?: string; reason?: string } {
  const remark = subject !== undefined && by != null && by !== subject ? `(by ${by})` : undefined;
  const text = [reason ?? undefined, remark].filter((part) => part !== undefined).join(' ');
  const actor = subject ?? by ?? undefined;
  return { ...(actor !== undefined && { actor }), ...(text !== '' && { reason: text }) };
}

/**
 * Returns the name under which a vote or a signal is recorded. Undefined if the request has neither a credential nor a
 * name.
 */
export function personOf({ subject }: Caller, by: string | undefined): string | undefined {
  return subject ?? by;
}
