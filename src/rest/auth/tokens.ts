import { createPublicKey, type KeyObject } from 'node:crypto';
import type { errors, JWTPayload, JWTVerifyOptions } from 'jose';
import { isTaskerError, messageOf, TaskerError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { isStorableText } from '../../model/json.ts';
import { isPermission, ROLES } from '../../model/permissions.ts';
import type { Caller } from '../caller.ts';
import { KeySet, type KeySetSettings } from './key-set.ts';
import { Refused } from './refuse.ts';
import { callerWith, permissionsOfRoles } from './rights.ts';

/** Which tokens (JWT) are accepted. */
export interface TokenSettings {
  issuer: string;
  audience: string;
  /** Only algorithms with a public key: a token cannot choose another kind. */
  algorithms: readonly string[];
  /** The claim that lists permissions. Default `permissions`. */
  permissionsClaim?: string;
  /** Whether a token with an unknown permission is rejected. Otherwise the permission is ignored. */
  strict: boolean;
  /** The public key as PEM, or the location of the keys. */
  keys: { pem: string } | KeySetSettings;
}

/** The clocks of the provider and of this machine may differ by this much. */
const TOLERANCE_SECONDS = 5;
const LONGEST = 16_384;
const LONGEST_SUBJECT = 200;
const MOST = 1_000;
/** Names of roles that grant permissions. Plain names such as `admin` often mean something else at a provider. */
const ROLE_NAMES = new Map(ROLES.map((role) => [`tasker-${role}`, role]));

/** Returns whether a string may be a token. */
export function looksLikeToken(text: string): boolean {
  return text.length <= LONGEST && /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text);
}

/** Verifies tokens, and reads the rights of their bearers. */
export class Tokens {
  readonly #settings: TokenSettings;
  readonly #key: KeyObject | KeySet;
  readonly #options: JWTVerifyOptions;

  /**
   * `keySet`: the keys of the provider. Default: they are loaded when they are needed.
   * @throws TaskerError `config_invalid` if the public key cannot be read
   */
  constructor(settings: TokenSettings, logger: Logger, keySet?: KeySet) {
    this.#settings = settings;
    this.#key = 'pem' in settings.keys ? readKey(settings.keys.pem) : (keySet ?? new KeySet(settings.keys, logger));
    this.#options = {
      issuer: settings.issuer,
      audience: settings.audience,
      algorithms: [...settings.algorithms],
      requiredClaims: ['sub', 'exp'],
      clockTolerance: TOLERANCE_SECONDS,
    };
  }

  /** Returns the bearer of a token. @throws Refused; TaskerError `not_ready` if the keys cannot be loaded */
  async callerOf(token: string): Promise<Caller> {
    const payload = await this.#verified(token);
    const { sub, exp, roles, namespaces, worker_namespaces } = payload;
    const { permissionsClaim = 'permissions' } = this.#settings;
    const allRoles = textsOf(roles, 'roles');
    const given = textsOf(payload[permissionsClaim], permissionsClaim);
    const unknown = given.find((one) => !isPermission(one));
    if (this.#settings.strict && unknown !== undefined) {
      throw new Refused('invalid', `the token has the unknown permission ${shortened(unknown)}`);
    }
    const own = allRoles.flatMap((role) => ROLE_NAMES.get(role) ?? []);
    return callerWith(
      {
        subject: subjectOf(sub),
        roles: allRoles,
        permissions: [...permissionsOfRoles(own), ...given],
        namespaces: namespacesOf(namespaces, worker_namespaces),
      },
      { credential: 'token', keyId: undefined, expiresAtMs: exp! * 1000 },
    );
  }

  async #verified(token: string): Promise<JWTPayload> {
    // Not imported at startup, because most workers never verify a token.
    const { jwtVerify } = await import('jose');
    try {
      const key = this.#key;
      if (!(key instanceof KeySet)) return (await jwtVerify(token, key, this.#options)).payload;
      return (await jwtVerify(token, (header, jws) => key.keyFor(header, jws), this.#options)).payload;
    } catch (error) {
      if (isTaskerError(error)) throw error;
      throw refusedBecause(error);
    }
  }
}

function refusedBecause(error: unknown): Refused {
  const { code, claim } = error as Partial<errors.JWTClaimValidationFailed>;
  if (code === 'ERR_JWT_EXPIRED') return new Refused('expired', 'the token has expired; get a new one');
  if (code === 'ERR_JWT_CLAIM_VALIDATION_FAILED') {
    return new Refused('invalid', `the token is not accepted: its claim ${claim} is missing or wrong`);
  }
  if (code === 'ERR_JWS_INVALID' || code === 'ERR_JWT_INVALID') {
    return new Refused('malformed', 'the token is not a signed JWT');
  }
  // The signature, the algorithm or the key is wrong. Details would only help an attacker who forges tokens.
  return new Refused('invalid', 'the server does not accept this token');
}

function readKey(pem: string): KeyObject {
  const wrong = (why: string, cause?: unknown) =>
    new TaskerError(
      'config_invalid',
      `orchestration.web.auth.jwt_public_key: ${why}; it must be a public key in PEM form`,
      cause === undefined ? undefined : { cause },
    );
  // Node would read the public part of a private key, which does not belong on this machine.
  if (pem.includes('PRIVATE KEY')) throw wrong('this is a private key');
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (error) {
    throw wrong(messageOf(error), error);
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'rsa' && (details?.modulusLength ?? 0) < 2048) throw wrong('the RSA key has less than 2048 bits');
  return key;
}

/** Returns the claim under which actions are recorded. @throws Refused if the claim is not a valid subject */
export function subjectOf(sub: unknown, claim = 'sub'): string {
  if (typeof sub === 'string' && sub !== '' && sub.length <= LONGEST_SUBJECT && isStorableText(sub)) {
    // Actions of API keys are recorded under such names.
    if (!sub.startsWith('key:')) return sub;
  }
  throw new Refused('invalid', `the token is not accepted: its claim ${claim} is missing or wrong`);
}

/** A token without a claim for namespaces applies to all of them. An empty list means none. */
function namespacesOf(namespaces: unknown, described: unknown): string[] | null {
  if (namespaces !== undefined) return textsOf(namespaces, 'namespaces');
  if (described === undefined) return null;
  const found = textsOf(described, 'worker_namespaces');
  return found.includes('*') ? null : found;
}

function textsOf(claim: unknown, name: string): string[] {
  if (claim === undefined) return [];
  if (Array.isArray(claim) && claim.length <= MOST && claim.every((one) => typeof one === 'string')) {
    return claim as string[];
  }
  throw new Refused('invalid', `the token is not accepted: its claim ${name} must be a list of strings`);
}

function shortened(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
