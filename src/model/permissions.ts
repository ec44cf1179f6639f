/**
 * Everything that a credential can permit. The first 17 are those of the described API; `tasks:context_read` also shows what
 * templates declare as sensitive.
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
  'schedules:read',
  'schedules:write',
  'templates:write',
  'events:read',
  'events:replay',
  'workers:read',
  'workers:drain',
  'audit:read',
  'auth:manage',
] as const;

/** One of {@link PERMISSIONS}. */
export type Permission = (typeof PERMISSIONS)[number];
