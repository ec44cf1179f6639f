import {
  type ApiKey,
  type ApiKeyRequest,
  type CreatedApiKey,
  createKey,
  listKeys,
  revokeKey,
  rotateKey,
} from '../../engine/credentials/api-keys.ts';
import type { OperatorOptions } from '../../engine/operator-actions.ts';
import type { Tasker } from '../tasker.ts';

export type { ApiKey, ApiKeyRequest, CreatedApiKey };

/** Creates a key for the HTTP API. */
export function createApiKey(tasker: Tasker, request: ApiKeyRequest, options: OperatorOptions): Promise<CreatedApiKey> {
  return createKey(tasker.engine.database, request, { door: tasker.door, ...options });
}

/** Returns the keys, sorted by name. `all` includes revoked and expired keys. */
export function listApiKeys(tasker: Tasker, options: { all: boolean }): Promise<ApiKey[]> {
  return listKeys(tasker.engine.database, options);
}

/** Revokes the keys with this name, prefix or id. */
export function revokeApiKey(tasker: Tasker, reference: string, options: OperatorOptions): Promise<ApiKey[]> {
  return revokeKey(tasker.engine.database, reference, { door: tasker.door, ...options });
}

/** Replaces a key with a new one that has the same rights. */
export function rotateApiKey(
  tasker: Tasker,
  reference: string,
  options: Parameters<typeof rotateKey>[2],
): Promise<CreatedApiKey> {
  return rotateKey(tasker.engine.database, reference, { door: tasker.door, ...options });
}
