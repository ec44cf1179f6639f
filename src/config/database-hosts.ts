/** The kinds of server that a connection can require, by the names of libpq. */
export const TARGETS = ['any', 'read-write', 'primary', 'read-only', 'standby', 'prefer-standby'] as const;

/** One of {@link TARGETS}. */
export type Target = (typeof TARGETS)[number];

/** The hosts of a database URL. */
export interface DatabaseHosts {
  /** A URL for each host, in order. */
  urls: readonly string[];
  /** Undefined if the URL has no such parameter. */
  target: Target | undefined;
}

const PLACEHOLDER = 'hosts.invalid';

/** Splits `postgres://user:password@a:5432,b/database` around its hosts. */
function split(url: string) {
  const [, scheme, authority, rest] = /^(postgres(?:ql)?:\/\/)([^/?#]*)(.*)$/s.exec(url) ?? [];
  if (scheme === undefined || authority === undefined || rest === undefined) return undefined;
  const at = authority.lastIndexOf('@') + 1;
  return { before: scheme + authority.slice(0, at), hosts: authority.slice(at), rest };
}

/** Returns the hosts of a PostgreSQL URL, which may name several hosts, as for libpq. Undefined for other URLs. */
export function hostsOf(url: string): DatabaseHosts | undefined {
  const parts = split(url);
  if (!parts) return undefined;
  const singles = parts.hosts.split(',').map((host) => `${parts.before}${host}${parts.rest}`);
  if (!singles.every((one) => URL.canParse(one))) return undefined;
  const { searchParams } = new URL(singles[0]!);
  const target = searchParams.get('target_session_attrs') ?? undefined;
  if (target !== undefined && !TARGETS.includes(target as Target)) return undefined;
  const named = searchParams.get('host')?.split(',') ?? [];
  if (named.length < 2 && singles.length < 2 && target === undefined) return { urls: [url], target };
  const urls = named.length < 2 ? singles : named.map(() => singles[0]!);
  const ports = searchParams.get('port')?.split(',') ?? [];
  return {
    urls: urls.map((one, index) => single(one, named[index], ports[index] ?? ports[0])),
    target: target as Target,
  };
}

function single(text: string, host: string | undefined, port: string | undefined): string {
  const url = new URL(text);
  url.searchParams.delete('target_session_attrs');
  if (host !== undefined) url.searchParams.set('host', host);
  if (host !== undefined && port !== undefined) url.searchParams.set('port', port);
  return url.href;
}

/** Applies `change` to a database URL. A list of hosts, which `URL` cannot parse, stays as it is. */
export function changeUrl(url: string, change: (parsed: URL) => void): string {
  const parts = URL.canParse(url) ? undefined : split(url);
  const parsed = new URL(parts ? `${parts.before}${PLACEHOLDER}${parts.rest}` : url);
  change(parsed);
  return parts ? parsed.href.replace(PLACEHOLDER, parts.hosts) : parsed.href;
}

/** A URL with a host, or one of a socket without a user. */
const KNOWN = /^([a-z][a-z\d+.-]*:\/\/[^/?#]|[a-z][a-z\d+.-]*:\/\/\/[^@]*$|socket:[^@]*$)/i;
const SECRET = /pass|secret|token|key/i;

/**
 * Hides the secrets of a URL: its password, and parameters that may be secrets. Hides a URL whose parts are unknown as a
 * whole: `URL` finds no password in `postgres:/user:password@host`, which has too few slashes.
 */
export function hiddenUrl(url: string): string {
  if (!URL.canParse(url) ? !hostsOf(url) : !KNOWN.test(url)) return '***';
  return changeUrl(url, (parsed) => {
    if (parsed.password) parsed.password = '***';
    for (const name of [...parsed.searchParams.keys()]) {
      if (SECRET.test(name)) parsed.searchParams.set(name, '***');
    }
  });
}
