import { expandPermissions, isRole, type Permission, ROLE_PERMISSIONS } from '../../model/permissions.ts';
import type { Caller } from '../caller.ts';

/** The rights that a credential grants. */
export interface Rights {
  subject: string;
  /** The role names with which the caller may vote. They grant no permissions. */
  roles: readonly string[];
  /** Permissions and wildcards. */
  permissions: readonly string[];
  namespaces: readonly string[] | null;
}

/** Returns the caller with these rights. */
export function callerWith(
  { subject, roles, permissions, namespaces }: Rights,
  of: Pick<Caller, 'credential' | 'keyId' | 'expiresAtMs'>,
): Caller {
  const all = expandPermissions(permissions);
  return {
    ...of,
    subject,
    roles,
    namespaces: namespaces ?? undefined,
    permissions: [...all].sort(),
    allows: (permission: Permission) => all.has(permission),
  };
}

/** Returns the permissions of roles. Names that are not roles grant none. */
export function permissionsOfRoles(roles: readonly string[]): Permission[] {
  return roles.flatMap((role) => (isRole(role) ? ROLE_PERMISSIONS[role] : []));
}
