import { z } from 'zod';
import { ROLES, type Role } from '../../model/permissions.ts';
import { flag, seconds, type ValueForm, word } from '../value-forms.ts';

const httpUrl = z.string().refine((text) => text === '' || (/^https?:\/\/[^?#]+$/.test(text) && URL.canParse(text)));
const words = 'an http or https URL without a query';
const url: ValueForm<string | undefined> = {
  schema: httpUrl.transform((text) => text.replace(/\/+$/, '') || undefined),
  words,
};
/** Compared exactly with the provider's value, so a trailing slash is kept. */
const issuer: ValueForm<string | undefined> = { schema: httpUrl.transform((text) => text || undefined), words };
const optional: ValueForm<string | undefined> = {
  schema: z
    .string()
    .trim()
    .transform((text) => text || undefined),
  words: 'a string',
};
const scopes: ValueForm<string[]> = {
  schema: z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/)).refine((list) => list.includes('openid')),
  words: 'a list of scopes with openid',
};
const roleMap: ValueForm<Record<string, Role>> = {
  schema: z.record(z.string(), z.enum(ROLES)),
  words: `a table from values of the claim to ${ROLES.join(', ')}`,
};

/** The settings of the login with an identity provider. Times in milliseconds. */
export const OIDC_KEYS = {
  publicUrl: {
    path: 'orchestration.web.public_url',
    form: url,
    byDefault: undefined as string | undefined,
    defaultWords: 'none',
    about: 'The URL of `tasker server` for browsers, with a path if a proxy adds one. The login with OIDC needs it.',
  },
  oidcIssuer: {
    path: 'orchestration.web.auth.oidc.issuer',
    form: issuer,
    byDefault: undefined as string | undefined,
    defaultWords: 'none: no such login',
    about: 'The identity provider with which people log in, such as `https://id.example.com/realms/shop`.',
  },
  oidcName: {
    path: 'orchestration.web.auth.oidc.name',
    form: optional,
    byDefault: undefined as string | undefined,
    defaultWords: 'the host of the issuer',
    about: 'The name of the identity provider on the page.',
  },
  oidcClientId: {
    path: 'orchestration.web.auth.oidc.client_id',
    form: optional,
    byDefault: undefined as string | undefined,
    defaultWords: 'none',
    about: 'The id with which this server is registered at the provider.',
  },
  oidcClientSecret: {
    path: 'orchestration.web.auth.oidc.client_secret',
    variables: ['TASKER_OIDC_CLIENT_SECRET'],
    form: { ...optional, shown: () => '***' },
    byDefault: undefined as string | undefined,
    defaultWords: 'none: a public client',
    secret: true as const,
    about: 'The secret of the client.',
  },
  oidcScopes: {
    path: 'orchestration.web.auth.oidc.scopes',
    form: scopes,
    byDefault: ['openid', 'profile', 'email'],
    about: 'The scopes to request.',
  },
  oidcSubjectClaim: {
    path: 'orchestration.web.auth.oidc.subject_claim',
    form: word,
    byDefault: 'sub',
    about:
      'The claim whose value identifies the person in actions and votes. Choose one that people cannot change and that is never given to another person.',
  },
  oidcRolesClaim: {
    path: 'orchestration.web.auth.oidc.roles_claim',
    form: word,
    byDefault: 'roles',
    about: 'The claim with the roles or groups of a person; `realm_access.roles` names a claim within a claim.',
  },
  oidcRoles: {
    path: 'orchestration.web.auth.oidc.roles',
    form: roleMap,
    byDefault: Object.fromEntries(ROLES.map((role) => [`tasker-${role}`, role])) as Record<string, Role>,
    defaultWords: '`tasker-viewer`, `tasker-operator` and `tasker-admin`',
    about:
      'The role for each value of that claim: `"platform team" = "operator"`. A person without a role is rejected.',
  },
  oidcNamespacesClaim: {
    path: 'orchestration.web.auth.oidc.namespaces_claim',
    form: optional,
    byDefault: undefined as string | undefined,
    defaultWords: 'none: all namespaces',
    about:
      'The claim with the namespaces that a person may see; `*` means all. A person without this claim is rejected.',
  },
  oidcSessionMs: {
    path: 'orchestration.web.auth.oidc.session_seconds',
    form: seconds(60_000),
    byDefault: 43_200_000,
    about: 'How long a login lasts, at most 12 hours. Rights that the provider revokes end with it.',
  },
  oidcAllowHttp: {
    path: 'orchestration.web.auth.oidc.allow_http',
    form: flag,
    byDefault: false,
    about: 'Allows a provider without TLS, for tests.',
  },
};
