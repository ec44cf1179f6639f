import { createHash, randomBytes, randomInt } from 'node:crypto';
import { sqlState } from '../../db/connection-error.ts';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { TaskerError } from '../../errors.ts';
import { uuidV7 } from '../../model/ids.ts';
import { isStorableText } from '../../model/json.ts';
import { isNamespace, NAMESPACE_RULE } from '../../model/namespace.ts';
import { nearNames } from '../../model/near-names.ts';
import { isPermission, isRole, PERMISSIONS, ROLES } from '../../model/permissions.ts';
import { noteAct } from '../../store/audit.ts';
import {
  type ApiKeyRow,
  createApiKey,
  findApiKey,
  hasApiKeys,
  listApiKeys,
  lockApiKeys,
  replaceApiKey,
  revokeApiKey,
  touchApiKeys,
} from '../../store/credentials/api-keys.ts';
import { type OperatorOptions, operatorOf } from '../operator-actions.ts';

/** An API key, without its secret. */
export type ApiKey = ApiKeyRow;

/** A key that was just created. The secret is only in this object, as `key`. */
export interface CreatedApiKey extends ApiKey {
  key: string;
}

/** The rights of a new key. At least one role or permission is needed. */
export interface ApiKeyRequest {
  /** Its actions are recorded under `key:` and this name. */
  name: string;
  /** `viewer`, `operator` or `admin`. */
  roles?: readonly string[];
  /** Permissions such as `tasks:read`, or all of a resource: `tasks:*`. */
  permissions?: readonly string[];
  /** The namespaces that it may see and change. Default: all. */
  namespaces?: readonly string[];
  /** Milliseconds until it expires. Default: never. */
  expiresInMs?: number;
}

const SETTINGS = opening({ lock_timeout: '5s', statement_timeout: '30s', idle_in_transaction_session_timeout: '30s' });
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@/-]{0,99}$/;
const LONGEST_MS = 100 * 365 * 86_400_000;
const MOST = 100;
const PREFIX_CHARACTERS = 'abcdefghijkmnpqrstuvwxyz23456789';
/** The form of a key. Strings of another form are not looked up. */
const FORM = /^tsk_[a-z2-9]{8}_[A-Za-z0-9_-]{43}$/;

/** Returns whether a string has the form of a key. */
export function looksLikeApiKey(text: string): boolean {
  return FORM.test(text);
}

/** Returns the SHA-256 of a key or of a session. */
export function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function newKey(): { key: string; prefix: string; hash: Buffer } {
  const id = Array.from({ length: 8 }, () => PREFIX_CHARACTERS[randomInt(PREFIX_CHARACTERS.length)]).join('');
  const prefix = `tsk_${id}`;
  const key = `${prefix}_${randomBytes(32).toString('base64url')}`;
  return { key, prefix, hash: hashOf(key) };
}

/**
 * Creates a key. The audit records its name and rights.
 * @throws TaskerError `bad_request`, `conflict` if a key has the name
 */
export async function createKey(
  database: Database,
  request: ApiKeyRequest,
  options: OperatorOptions,
): Promise<CreatedApiKey> {
  const checked = checkRequest(request);
  const operator = operatorOf(options);
  const { key, prefix, hash } = newKey();
  try {
    const row = await database.transaction(SETTINGS, async (tx) => {
      const made = await createApiKey(tx, { ...checked, keyId: uuidV7(), prefix, hash, createdBy: operator.actor });
      await noteAct(tx, { action: 'create_key', target: targetOf(made), details: rightsOf(made) }, operator);
      return made;
    });
    return { ...row, key };
  } catch (error) {
    if (sqlState(error) !== '23505') throw error;
    throw new TaskerError(
      'conflict',
      `a key named ${checked.name} already exists; replace it with \`tasker auth key rotate ${checked.name}\`, or revoke it first`,
      { cause: error },
    );
  }
}

/** Returns the keys by name. `all`: includes revoked and expired keys. */
export function listKeys(database: Database, options: { all: boolean }): Promise<ApiKey[]> {
  return listApiKeys(database, options);
}

/**
 * Revokes a key by its name, prefix or id, and ends the sessions that were started with it. Servers may accept the key
 * for two more seconds. A name selects all keys with this name, so both keys of a rotation in progress are revoked.
 * @throws TaskerError `credential_not_found`
 */
export async function revokeKey(database: Database, reference: string, options: OperatorOptions): Promise<ApiKey[]> {
  const operator = operatorOf(options);
  return database.transaction(SETTINGS, async (tx) => {
    const found = await lockApiKeys(tx, checkReference(reference));
    if (found.length === 0) throw await unknownKey(database, reference);
    const revoked: ApiKey[] = [];
    for (const { keyId } of found) {
      const row = await revokeApiKey(tx, keyId, operator.actor);
      if (!row) continue;
      await noteAct(tx, { action: 'revoke_key', target: targetOf(row) }, operator);
      revoked.push(row);
    }
    return revoked.length > 0 ? revoked : found;
  });
}

/**
 * Creates a key with the rights of an existing key. The existing key works for another `overlapMs`.
 * @throws TaskerError `credential_not_found`, `conflict` if the key no longer works or was replaced before
 */
export async function rotateKey(
  database: Database,
  reference: string,
  { overlapMs, expiresInMs, ...options }: OperatorOptions & { overlapMs: number; expiresInMs?: number | undefined },
): Promise<CreatedApiKey> {
  const operator = operatorOf(options);
  checkSpan('overlap', overlapMs, 0);
  if (expiresInMs !== undefined) checkSpan('expiry', expiresInMs, 1);
  const { key, prefix, hash } = newKey();
  return database.transaction(SETTINGS, async (tx) => {
    const found = await lockApiKeys(tx, checkReference(reference));
    if (found.length === 0) throw await unknownKey(database, reference);
    const old = found.find(({ state }) => state === 'active') ?? found[0]!;
    if (old.state !== 'active') throw notActive(old);
    const keyId = uuidV7();
    const { name, roles, permissions, namespaces } = old;
    const replaced = await replaceApiKey(tx, { keyId: old.keyId, by: keyId, overlapMs });
    const same = { name, roles, permissions, namespaces, expiresInMs: expiresInMs ?? null };
    const row = await createApiKey(tx, { ...same, keyId, prefix, hash, createdBy: operator.actor });
    const details = JSON.stringify({ replaces: old.prefix, until: replaced.expiresAt });
    await noteAct(tx, { action: 'rotate_key', target: targetOf(row), details }, operator);
    return { ...row, key };
  });
}

/** Returns the key with this secret, in any state. Undefined if no key has it. */
export async function keyOf(database: Database, text: string): Promise<ApiKey | undefined> {
  return looksLikeApiKey(text) ? findApiKey(database, hashOf(text)) : undefined;
}

/** Returns whether a key was ever created. */
export function anyKey(database: Database): Promise<boolean> {
  return hasApiKeys(database);
}

/** Stores that keys were used. */
export function noteUse(database: Database, keyIds: readonly string[]): Promise<void> {
  return touchApiKeys(database, keyIds);
}

function targetOf({ name, prefix }: ApiKeyRow): string {
  return `key ${name} (${prefix})`;
}

function rightsOf({ roles, permissions, namespaces, expiresAt }: ApiKeyRow): string {
  return JSON.stringify({ roles, permissions, namespaces, expires_at: expiresAt });
}

function notActive({ name, prefix, state }: ApiKeyRow): TaskerError {
  const why = state === 'replaced' ? 'was replaced before' : `is ${state}`;
  return new TaskerError('conflict', `key ${name} (${prefix}) ${why}; \`tasker auth key list --all\` shows all keys`);
}

function checkReference(reference: string): string {
  if (typeof reference === 'string' && reference !== '' && isStorableText(reference)) return reference;
  throw new TaskerError('bad_request', 'a key must be a name, a prefix or an id');
}

async function unknownKey(database: Database, reference: string): Promise<TaskerError> {
  const names = (await listApiKeys(database, { all: true })).flatMap(({ name, prefix }) => [name, prefix]);
  const near = nearNames(reference, [...new Set(names)], 1)[0];
  const hint = near ? `did you mean ${near}?` : '`tasker auth key list --all` shows all keys';
  return new TaskerError('credential_not_found', `key ${reference} not found; ${hint}`);
}

function checkRequest(request: ApiKeyRequest) {
  const { name, roles = [], permissions = [], namespaces, expiresInMs } = request;
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new TaskerError(
      'bad_request',
      'name: 1 to 100 letters, digits or any of . _ @ / -, and it begins with a letter or digit',
    );
  }
  checkEach('roles', roles, isRole, `is not a role; the roles are ${ROLES.join(', ')}`);
  checkEach('permissions', permissions, isPermission, (text) => {
    const near = nearNames(text, PERMISSIONS, 1)[0];
    const known = near ? `did you mean ${near}?` : `for example tasks:read or tasks:*; for all of them, use role admin`;
    return `is not a permission; ${known}`;
  });
  if (namespaces !== undefined)
    checkEach('namespaces', namespaces, isNamespace, `is not a namespace; ${NAMESPACE_RULE}`);
  if (roles.length + permissions.length === 0) {
    throw new TaskerError(
      'bad_request',
      `key ${name} would allow nothing; give it a role (${ROLES.join(', ')}) or permissions`,
    );
  }
  if (namespaces?.length === 0) {
    throw new TaskerError('bad_request', `namespaces: an empty list allows nothing; omit it to allow all namespaces`);
  }
  if (expiresInMs !== undefined) checkSpan('expiry', expiresInMs, 1);
  return {
    name,
    roles: [...new Set(roles)],
    permissions: [...new Set(permissions)],
    namespaces: namespaces === undefined ? null : [...new Set(namespaces)],
    expiresInMs: expiresInMs ?? null,
  };
}

function checkEach(
  what: string,
  texts: readonly string[],
  fits: (text: string) => boolean,
  why: string | ((text: string) => string),
): void {
  if (!Array.isArray(texts) || texts.length > MOST) {
    throw new TaskerError('bad_request', `${what} must be a list of at most ${MOST} strings`);
  }
  for (const text of texts as unknown[]) {
    if (typeof text === 'string' && fits(text)) continue;
    const shown = String(text);
    throw new TaskerError('bad_request', `${what}: ${shown} ${typeof why === 'string' ? why : why(shown)}`);
  }
}

function checkSpan(what: string, ms: number, least: number): void {
  if (Number.isFinite(ms) && ms >= least && ms <= LONGEST_MS) return;
  throw new TaskerError('bad_request', `${what}: must be a duration of at most 100 years`);
}
