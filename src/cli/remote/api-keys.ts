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
import { camelKeys, snakeQuery } from './camel-keys.ts';
import { clientOf } from './remote-tasker.ts';
import { actOf } from './requests.ts';

type Operator = Parameters<typeof actOf>[0];

/** The verbs for API keys, of a database or of a server. */
export function apiKeys(tasker: Tasker) {
  const credentials = clientOf(tasker)?.credentials;
  const seconds = (ms: number | undefined) => (ms === undefined ? {} : { expires_in_seconds: ms / 1000 });
  const keyOf = <Key extends ApiKey>({ id, ...key }: { id: string }): Key => camelKeys({ ...key, key_id: id });
  if (!credentials) {
    return {
      create: (request: ApiKeyRequest, by: Operator) => createApiKey(tasker, request, by ?? {}),
      list: (options: { all: boolean }) => listApiKeys(tasker, options),
      revoke: (key: string, by: Operator) => revokeApiKey(tasker, key, by ?? {}),
      rotate: (key: string, options: Parameters<typeof rotateApiKey>[2]) => rotateApiKey(tasker, key, options),
    };
  }
  return {
    create: async ({ expiresInMs, ...request }: ApiKeyRequest, by: Operator): Promise<CreatedApiKey> =>
      keyOf(await credentials.createKey({ ...snakeQuery(request), ...seconds(expiresInMs), ...actOf(by) } as never)),
    list: async (options: { all: boolean }): Promise<ApiKey[]> =>
      (await credentials.keys(options)).keys.map((key) => keyOf<ApiKey>(key)),
    revoke: async (key: string, by: Operator): Promise<ApiKey[]> =>
      (await credentials.revokeKey(key, actOf(by))).keys.map((one) => keyOf<ApiKey>(one)),
    rotate: async (
      key: string,
      { overlapMs, expiresInMs, ...by }: Parameters<typeof rotateApiKey>[2],
    ): Promise<CreatedApiKey> =>
      keyOf(
        await credentials.rotateKey(key, {
          ...(overlapMs !== undefined && { overlap_seconds: overlapMs / 1000 }),
          ...seconds(expiresInMs),
          ...actOf(by),
        }),
      ),
  };
}
