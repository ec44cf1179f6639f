import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Context, Hono } from 'hono';
import { matchedRoutes } from 'hono/route';

/** The built page, next to `dist` and `src` in the package. `npm run build:web` writes it from `web/`. */
const FOLDER = fileURLToPath(new URL('../../assets/web/', import.meta.url));

/** The first part of the address of each screen. All screens are the same file, which reads the address. */
const SCREENS = [
  'tasks',
  'errors',
  'dead-letters',
  'approvals',
  'templates',
  'schedules',
  'events',
  'workers',
  'queues',
  'stats',
  'audit',
  'settings',
] as const;

/** The paths of the page and its files, as routes. They need no credential, because they contain no data. */
export const PAGE_PATHS: readonly string[] = [
  '/',
  ...SCREENS.flatMap((screen) => [`/${screen}`, `/${screen}/*`]),
  '/files/:name',
  '/icon.svg',
];

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
};

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** The names of these files contain a hash of their content. */
const UNCHANGING = /^files\//;
/** The paths of the API and of the files, where a mistyped address gets an error in JSON. */
const WITHOUT_PAGES = /^\/(v1|files|api-docs)(\/|$)/;
/** Smaller files are not worth compressing. */
const SMALLEST_GZIP = 1024;

interface StaticFile {
  type: string;
  bytes: Uint8Array<ArrayBuffer>;
  gzip: Uint8Array<ArrayBuffer> | undefined;
  etag: string;
  caching: string;
}

const NOT_BUILT = `<!doctype html><html lang="en"><meta charset="utf-8"><base href="./"><title>tasker</title>
<p>The web page has not been built. Run <code>npm run build:web</code> in the repository of tasker-core, and reload.</p>
<p>The API is described at <a href="api-docs/ui">api-docs/ui</a>.</p></html>`;

/**
 * The web page: static files, and the same document at the address of every screen. It uses only the HTTP API. All
 * files are read once, when the first of them is requested, so that a request cannot reach other files. A browser gets
 * the document at an unknown address, too, with the status 404.
 */
export function webPage(): Hono {
  let files: Map<string, StaticFile> | undefined;
  const found = (name: string) => {
    files ??= readFiles();
    return files.get(name);
  };
  const documentOf = (c: Context) => {
    const { pathname } = new URL(c.req.url);
    const html = found('index.html')?.bytes;
    return documentAt(pathname, html ? Buffer.from(html).toString() : NOT_BUILT);
  };
  const page = (c: Context) => send(c, documentOf(c));
  const app = new Hono();
  app.get('/', page);
  for (const screen of SCREENS) app.get(`/${screen}`, page).get(`/${screen}/*`, page);
  for (const pattern of ['/files/:name', '/icon.svg']) {
    app.get(pattern, async (c) => {
      const file = found(c.req.path.slice(1));
      // Does not call `next`, so that the checks of the API do not handle the request instead.
      return file ? send(c, file) : c.notFound();
    });
  }
  app.use(async (c, next) => (isMistyped(c) ? send(c, documentOf(c), 404) : next()));
  return app;
}

/** Returns whether a browser opens an address that no route has. */
function isMistyped(c: Context): boolean {
  return (
    c.req.method === 'GET' &&
    (c.req.header('accept') ?? '').includes('text/html') &&
    !WITHOUT_PAGES.test(c.req.path) &&
    matchedRoutes(c).every(({ method }) => method === 'ALL')
  );
}

/**
 * Returns the document with the path from its address to the root of the page. The path is relative, so that links work
 * below any path prefix that a proxy removes.
 */
function documentAt(pathname: string, html: string): StaticFile {
  const up = '../'.repeat(pathname.split('/').length - 2);
  return fileOf('index.html', Buffer.from(html.replace('<base href="./"', `<base href="${up || './'}"`)));
}

function readFiles(): Map<string, StaticFile> {
  if (!existsSync(FOLDER)) return new Map();
  const names = readdirSync(FOLDER, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    names.map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      const name = path.relative(FOLDER, file).split(path.sep).join('/');
      const content = readFileSync(file);
      // Scripts and styles are only in the package in compressed form.
      if (!name.endsWith('.gz')) return [name, fileOf(name, content)];
      const plain = name.slice(0, -'.gz'.length);
      return [plain, { ...fileOf(plain, gunzipSync(content)), gzip: new Uint8Array(content) }];
    }),
  );
}

function fileOf(name: string, content: Buffer): StaticFile {
  const bytes = new Uint8Array(content);
  return {
    type: TYPES[path.extname(name)] ?? 'application/octet-stream',
    bytes,
    gzip: bytes.length < SMALLEST_GZIP ? undefined : new Uint8Array(gzipSync(bytes)),
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    caching: UNCHANGING.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache',
  };
}

function send(c: Context, { type, bytes, gzip, etag, caching }: StaticFile, status: 200 | 404 = 200): Response {
  const headers = { ...HEADERS, etag, 'cache-control': caching, vary: 'accept-encoding' };
  // A proxy that compresses the response marks the tag as weak.
  const known = (c.req.header('if-none-match') ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (status === 200 && known.includes(etag)) return c.body(null, 304, headers);
  const zipped = gzip && /\bgzip\b/.test(c.req.header('accept-encoding') ?? '');
  return c.body(zipped ? gzip : bytes, status, {
    ...headers,
    'content-type': type,
    ...(zipped && { 'content-encoding': 'gzip' }),
  });
}
