import type { Context } from 'hono';
import type { Permission } from '../model/permissions.ts';

/** Who sends a request, and what it may do. */
export interface Caller {
  /** The name that acts and votes are recorded under. Undefined without authentication: then requests name it. */
  subject: string | undefined;
  /** The namespaces that it may see and change. Undefined: all. */
  namespaces: readonly string[] | undefined;
  allows(permission: Permission): boolean;
}

/** The caller of a server without authentication. */
export const ANYONE: Caller = { subject: undefined, namespaces: undefined, allows: () => true };

/** Returns who sent the request. */
export function callerOf(c: Context): Caller {
  return (c.get('caller') as Caller | undefined) ?? ANYONE;
}
