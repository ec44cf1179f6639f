import {
  type ApiKey,
  type ApiKeyRequest,
  type CreatedApiKey,
  createApiKey,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
} from '../../app/credentials/api-keys.ts';
import type { Tasker } from '../../app/tasker.ts';
import { callerOf } from './call.ts';
import { clientOf } from './remote-tasker.ts';
import type { actOf } from './requests.ts';

type Operator = Parameters<typeof actOf>[0];

/** The verbs for API keys, of a database or of a server. */
export function apiKeys(tasker: Tasker) {
  const client = clientOf(tasker);
  if (!client) {
    return {
      create: (request: ApiKeyRequest, by: Operator) => createApiKey(tasker, request, by ?? {}),
      list: (options: { all: boolean }) => listApiKeys(tasker, options),
      revoke: (key: string, by: Operator) => revokeApiKey(tasker, key, by ?? {}),
      rotate: (key: string, options: Parameters<typeof rotateApiKey>[2]) => rotateApiKey(tasker, key, options),
    };
  }
  const call = callerOf(client);
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);
  const keyOf = <Key extends ApiKey>({ id: keyId, ...key }: { id: string }) => ({ ...key, keyId }) as Key;
  type Keys = { keys: { id: string }[] };
  return {
    create: async ({ expiresInMs, ...request }: ApiKeyRequest, by: Operator): Promise<CreatedApiKey> =>
      keyOf(await call('credentials.createKey', request, { expiresInSeconds: seconds(expiresInMs) }, by)),
    list: async (options: { all: boolean }): Promise<ApiKey[]> =>
      (await call<Keys>('credentials.keys', options)).keys.map((key) => keyOf(key)),
    revoke: async (key: string, by: Operator): Promise<ApiKey[]> =>
      (await call<Keys>('credentials.revokeKey', key, by)).keys.map((one) => keyOf(one)),
    rotate: async (
      key: string,
      { overlapMs, expiresInMs, ...by }: Parameters<typeof rotateApiKey>[2],
    ): Promise<CreatedApiKey> => {
      const times = { overlapSeconds: seconds(overlapMs), expiresInSeconds: seconds(expiresInMs) };
      return keyOf(await call('credentials.rotateKey', key, times, by));
    },
  };
}
