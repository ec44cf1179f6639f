import { isStorableText } from '../../../model/json.ts';
import type { Role } from '../../../model/permissions.ts';
import type { Caller } from '../../caller.ts';
import { Refused } from '../refuse.ts';
import { callerWith, permissionsOfRoles } from '../rights.ts';
import { subjectOf } from '../tokens.ts';

/** The claims from which a person gets rights. */
export interface ClaimRules {
  subjectClaim: string;
  /** `realm_access.roles` names a claim within a claim. */
  rolesClaim: string;
  /** The role for each value of the claim. */
  roles: Readonly<Record<string, Role>>;
  /** Undefined means all namespaces. */
  namespacesClaim: string | undefined;
  sessionMs: number;
}

type Claims = Readonly<Record<string, unknown>>;

const MOST = 1_000;
const LONGEST = 200;

/** Returns a claim by its name, which may contain dots, or by its path through enclosing claims. */
export function claimAt(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  return name.split('.').reduce<unknown>((at, part) => {
    return typeof at === 'object' && at !== null && Object.hasOwn(at, part) ? (at as Claims)[part] : undefined;
  }, claims);
}

/** Returns the person with these verified claims. @throws Refused without a mapped role, or with an invalid claim */
export function callerOfClaims(claims: Claims, rules: ClaimRules): Caller {
  const { subjectClaim, rolesClaim, namespacesClaim } = rules;
  const subject = subjectOf(claimAt(claims, subjectClaim), subjectClaim);
  if (subjectClaim === 'email' && claims.email_verified === false) {
    throw new Refused('invalid', 'the identity provider has not verified the email address');
  }
  const given = textsAt(claims, rolesClaim);
  const own = [...new Set(given.flatMap((one) => (Object.hasOwn(rules.roles, one) ? rules.roles[one]! : [])))];
  if (own.length === 0) {
    throw new Refused('forbidden', `${subject} has no role here; the claim ${rolesClaim} must name a mapped role`);
  }
  return callerWith(
    {
      subject,
      roles: [...new Set([...given, ...own])],
      permissions: permissionsOfRoles(own),
      namespaces: namespacesClaim === undefined ? null : namespacesOf(claims, namespacesClaim),
    },
    { credential: 'token', keyId: undefined, expiresAtMs: Date.now() + rules.sessionMs },
  );
}

function namespacesOf(claims: Claims, name: string): string[] | null {
  if (claimAt(claims, name) === undefined) {
    throw new Refused('forbidden', `the claim ${name}, which names the visible namespaces, is missing`);
  }
  const found = textsAt(claims, name);
  return found.includes('*') ? null : found;
}

function textsAt(claims: Claims, name: string): string[] {
  const claim = claimAt(claims, name);
  if (claim === undefined) return [];
  const list: unknown[] = Array.isArray(claim) ? claim : [claim];
  const isText = (one: unknown) => typeof one === 'string' && one.length <= LONGEST && isStorableText(one);
  if (list.length <= MOST && list.every(isText)) return list as string[];
  throw new Refused('invalid', `the claim ${name} must be a string or a list of at most ${MOST} short strings`);
}
