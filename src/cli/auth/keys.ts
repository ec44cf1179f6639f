import type { ApiKey, CreatedApiKey } from '../../app/credentials/api-keys.ts';
import { apiKeyJson, createdKeyJson } from '../../app/json/credentials.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { apiKeys } from '../remote/api-keys.ts';
import { note, print, printJson } from '../show/output.ts';
import { table } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

const OVERLAP_MS = 86_400_000;

/** Options of `tasker auth key create`. */
export interface KeyCreateOptions extends GlobalOptions, OperatorFlags {
  role?: string[];
  permission?: string[];
  namespace?: string[];
  expiresIn?: number;
}

/** `tasker auth key create`: prints a new key. */
export async function keyCreate(name: string, options: KeyCreateOptions): Promise<void> {
  const { role: roles = [], permission: permissions = [], namespace: namespaces, expiresIn: expiresInMs } = options;
  const request = {
    name,
    roles,
    permissions,
    ...(namespaces && { namespaces }),
    ...(expiresInMs !== undefined && { expiresInMs }),
  };
  await withTasker(options, { mayMake: true }, async (tasker) => {
    printKey(await apiKeys(tasker).create(request, operatorFrom(options)), options);
  });
}

/** `tasker auth key list`: lists keys. */
export async function keyList(options: GlobalOptions & { all?: boolean }): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const keys = await apiKeys(tasker).list({ all: options.all ?? false });
    if (options.json) return printJson({ keys: keys.map(apiKeyJson) });
    if (keys.length === 0) return note('no API keys; `tasker auth key create <name> --role viewer` creates one');
    print(table(['name', 'prefix', 'state', 'rights', 'namespaces', 'expires', 'last used'], keys.map(rowOf)));
  });
}

/** `tasker auth key revoke`: revokes a key. */
export async function keyRevoke(key: string, options: GlobalOptions & OperatorFlags): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const revoked = await apiKeys(tasker).revoke(key, operatorFrom(options));
    if (options.json) return printJson({ keys: revoked.map(apiKeyJson) });
    for (const { name, prefix } of revoked) print(`revoked key ${name} (${prefix})`);
  });
}

/** `tasker auth key rotate`: prints a key that replaces an existing key. */
export async function keyRotate(
  key: string,
  options: GlobalOptions & OperatorFlags & { overlap?: number; expiresIn?: number },
): Promise<void> {
  const { overlap: overlapMs = OVERLAP_MS, expiresIn: expiresInMs } = options;
  await withTasker(options, {}, async (tasker) => {
    const by = operatorFrom(options);
    printKey(await apiKeys(tasker).rotate(key, { ...by, overlapMs, expiresInMs }), options);
  });
}

/** Only the key goes to standard output, so that it can be piped into a secret store. */
function printKey(created: CreatedApiKey, { json }: GlobalOptions): void {
  if (json) {
    printJson(createdKeyJson(created));
    return;
  }
  print(created.key);
  note(`key ${created.name} (${created.prefix}): ${rightsOf(created)}; store it now; it cannot be shown again`);
}

function rightsOf({ roles, permissions }: ApiKey): string {
  return [...roles, ...permissions].join(' ');
}

function rowOf(key: ApiKey): string[] {
  const time = (text: string | null, none: string) => (text === null ? none : `${text.slice(0, 19)}Z`);
  return [
    key.name,
    key.prefix,
    key.state,
    rightsOf(key),
    key.namespaces?.join(' ') ?? 'all',
    time(key.expiresAt, 'never'),
    time(key.lastUsedAt, 'never'),
  ];
}
