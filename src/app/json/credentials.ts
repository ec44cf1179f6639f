import type { ApiKey, CreatedApiKey } from '../credentials/api-keys.ts';
import type { ListedSession } from '../credentials/web-sessions.ts';

/** Returns a key as JSON. */
export function apiKeyJson(key: ApiKey) {
  return {
    id: key.keyId,
    name: key.name,
    prefix: key.prefix,
    state: key.state,
    roles: key.roles,
    permissions: key.permissions,
    namespaces: key.namespaces,
    created_at: key.createdAt,
    created_by: key.createdBy,
    expires_at: key.expiresAt,
    last_used_at: key.lastUsedAt,
    revoked_at: key.revokedAt,
    revoked_by: key.revokedBy,
  };
}

/** Returns a new key as JSON, with its secret. */
export function createdKeyJson(key: CreatedApiKey) {
  return { key: key.key, ...apiKeyJson(key) };
}

/** Returns a session as JSON. */
export function browserSessionJson(session: ListedSession) {
  return {
    id: session.id,
    subject: session.subject,
    roles: session.roles,
    permissions: session.permissions,
    namespaces: session.namespaces,
    key_prefix: session.keyPrefix,
    created_at: session.createdAt,
    expires_at: session.expiresAt,
  };
}
