import { readFile } from 'node:fs/promises';
import { Hono } from 'hono';

/** The folder with the files of the page, next to `dist` and `src` in the package. */
const FOLDER = new URL('../../assets/api-docs/', import.meta.url);

const FILES: Readonly<Record<string, { file: string; type: string }>> = {
  '/api-docs/ui': { file: 'index.html', type: 'text/html; charset=utf-8' },
  '/api-docs/ui/page.css': { file: 'page.css', type: 'text/css; charset=utf-8' },
  '/api-docs/ui/page.js': { file: 'page.js', type: 'text/javascript; charset=utf-8' },
  '/api-docs/ui/contents.js': { file: 'contents.js', type: 'text/javascript; charset=utf-8' },
};

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};

/** A page for reading and trying the API in `/api-docs/openapi.json`, which loads nothing from other hosts. */
export function apiPage(): Hono {
  const app = new Hono();
  for (const [path, { file, type }] of Object.entries(FILES)) {
    app.get(path, async (c) =>
      c.body(await readFile(new URL(file, FOLDER)), 200, { ...HEADERS, 'content-type': type }),
    );
  }
  // With a trailing slash, the relative links of the page would be wrong.
  return app.get('/api-docs/ui/', (c) => c.redirect('../ui'));
}
