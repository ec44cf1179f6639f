// Builds the site of the documentation, site/.vitepress/dist, and checks the links of the built pages. Installs the packages
// of the site first if they are missing.
//   node scripts/build-site.mjs         builds
//   node scripts/build-site.mjs --dev   serves the site, and updates the pages that you edit
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, watch } from 'node:fs';
import path from 'node:path';

const ROOT = path.dirname(import.meta.dirname);
const DOCS = path.join(ROOT, 'docs');
const SITE = path.join(ROOT, 'site');
const PAGES = path.join(SITE, 'pages');
const BUILT = path.join(SITE, '.vitepress/dist');

function run(command, args, stdio = 'inherit') {
  const { status, error } = spawnSync(command, args, { cwd: SITE, stdio, shell: process.platform === 'win32' });
  if (status !== 0) throw new Error(`${command} ${args[0]} failed: ${error?.message ?? 'see above'}`);
}

/** Installs the packages of the site if there are none, or if package-lock.json has changed since. */
function install() {
  const installed = path.join(SITE, 'node_modules/.package-lock.json');
  const lock = path.join(SITE, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
}

/** Copies the pages below the packages of the site, where VitePress needs them. */
function copyPages() {
  rmSync(PAGES, { recursive: true, force: true });
  cpSync(DOCS, PAGES, { recursive: true });
  const files = path.join(PAGES, 'public');
  cpSync(path.join(ROOT, 'web/public/icon.svg'), path.join(files, 'icon.svg'));
  // Assistants read the pages as Markdown, as llms.txt names them.
  cpSync(path.join(ROOT, 'llms.txt'), path.join(files, 'llms.txt'));
  cpSync(DOCS, path.join(files, 'docs'), { recursive: true, filter: (file) => !file.includes('pictures') });
}

const targetsIn = (html, attribute) =>
  [...html.matchAll(new RegExp(` ${attribute}="([^"]*)"`, 'g'))].map(([, to]) => to);

/** Returns the links of built pages to missing pages or headings. */
function brokenLinks() {
  const files = readdirSync(BUILT, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.html'));
  const pages = new Map(
    files.map((file) => [`/${file.replaceAll(path.sep, '/')}`, readFileSync(path.join(BUILT, file), 'utf8')]),
  );
  const ids = new Map([...pages].map(([page, html]) => [page, new Set(targetsIn(html, 'id'))]));
  return [...pages].flatMap(([page, html]) =>
    targetsIn(html, 'href').flatMap((href) => {
      const to = new URL(href.replaceAll('&amp;', '&'), `http://site${page}`);
      if (to.host !== 'site') return [];
      const file = decodeURI(to.pathname).replace(/\/$/, '/index.html');
      if (!existsSync(path.join(BUILT, file))) return [`${page}: ${href} does not exist`];
      const anchor = decodeURIComponent(to.hash.slice(1));
      return anchor === '' || ids.get(file)?.has(anchor) ? [] : [`${page}: ${href}: the page has no such heading`];
    }),
  );
}

install();
copyPages();
const vitepress = path.join(SITE, 'node_modules/vitepress/bin/vitepress.js');
if (process.argv.includes('--dev')) {
  watch(DOCS, { recursive: true }, (_, file) => {
    if (existsSync(path.join(DOCS, file))) cpSync(path.join(DOCS, file), path.join(PAGES, file), { recursive: true });
  });
  spawn(process.execPath, [vitepress, 'dev'], { cwd: SITE, stdio: 'inherit' }).once('exit', (code) =>
    process.exit(code ?? 1),
  );
} else {
  run(process.execPath, [vitepress, 'build']);
  const broken = [...new Set(brokenLinks())];
  for (const one of broken) console.error(one);
  console.log(`site: ${broken.length} broken links`);
  process.exitCode = broken.length === 0 ? 0 : 1;
}
