/**
 * Everything that a credential can permit. The first 17 are those of the original API; `tasks:context_read` also shows
 * data that templates declare as sensitive.
 */
export const PERMISSIONS = [
  'tasks:create',
  'tasks:read',
  'tasks:list',
  'tasks:cancel',
  'tasks:context_read',
  'steps:read',
  'steps:resolve',
  'dlq:read',
  'dlq:update',
  'dlq:stats',
  'templates:read',
  'templates:validate',
  'system:config_read',
  'system:handlers_read',
  'system:analytics_read',
  'worker:config_read',
  'worker:templates_read',
  'tasks:update',
  'tasks:delete',
  'steps:work',
  'signals:send',
  'approvals:read',
  'approvals:decide',
  'approvals:reassign',
  'schedules:read',
  'schedules:write',
  'templates:write',
  'templates:activate',
  'events:read',
  'events:replay',
  'workers:read',
  'workers:drain',
  'audit:read',
  'auth:manage',
] as const;

/** One of {@link PERMISSIONS}. */
export type Permission = (typeof PERMISSIONS)[number];

/** The sets of permissions that have a name. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;

/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number];

const VIEWER: readonly Permission[] = [
  'tasks:read',
  'tasks:list',
  'steps:read',
  'dlq:read',
  'dlq:stats',
  'templates:read',
  'system:handlers_read',
  'system:analytics_read',
  'worker:templates_read',
  'approvals:read',
  'schedules:read',
  'events:read',
  'workers:read',
];
const OPERATOR: readonly Permission[] = [
  ...VIEWER,
  'tasks:create',
  'tasks:cancel',
  'tasks:update',
  'steps:resolve',
  'dlq:update',
  'templates:validate',
  'templates:activate',
  'system:config_read',
  'worker:config_read',
  'signals:send',
  'approvals:decide',
  'approvals:reassign',
  'schedules:write',
  'events:replay',
  'workers:drain',
  'audit:read',
];

/**
 * The permissions of each role. A viewer changes nothing. An operator runs tasks and chooses the active versions of
 * templates, but neither deletes tasks nor changes templates or credentials, and does not see data that templates declare as sensitive.
 */
export const ROLE_PERMISSIONS: Readonly<Record<Role, readonly Permission[]>> = {
  viewer: VIEWER,
  operator: OPERATOR,
  admin: PERMISSIONS,
};

const KNOWN: ReadonlySet<string> = new Set(PERMISSIONS);
const RESOURCES: ReadonlySet<string> = new Set(PERMISSIONS.map((permission) => permission.split(':')[0]!));

/** Returns whether a string is a role. */
export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}

/** Returns whether a string is a permission, or a wildcard for all permissions of a resource, such as `tasks:*`. */
export function isPermission(text: string): boolean {
  return KNOWN.has(text) || (text.endsWith(':*') && RESOURCES.has(text.slice(0, -2)));
}

/** Expands permissions and wildcards, and returns the permissions. There is no wildcard for everything. */
export function expandPermissions(texts: Iterable<string>): Set<Permission> {
  const found = new Set<Permission>();
  for (const text of texts) {
    if (KNOWN.has(text)) found.add(text as Permission);
    if (!text.endsWith(':*')) continue;
    for (const permission of PERMISSIONS) if (permission.startsWith(text.slice(0, -1))) found.add(permission);
  }
  return found;
}
