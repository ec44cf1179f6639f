// The site of the documentation. Its pages are the files in docs, which scripts/build-site.mjs copies to `pages`, because
// VitePress needs them below its packages. Its navigation is docs/README.md.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { createCssVariablesTheme } from 'shiki/core';
import { defineConfig } from 'vitepress';
import { anchorOf } from '../../scripts/check-files.mjs';
import { docsIndex } from '../../scripts/docs/docs-index.mjs';

const ROOT = path.resolve(import.meta.dirname, '../..');
const DOCS = path.join(ROOT, 'docs');
const REPOSITORY = 'https://github.com/tasker-core/tasker-core';
/** A link to this folder leads to its first page. */
const DECISIONS = readdirSync(path.join(DOCS, 'decisions')).sort();

const titleOf = (file) => /^# (.+)$/m.exec(readFileSync(path.join(DOCS, file), 'utf8'))[1].replaceAll('`', '');

/** Returns the path of a page on the site, given its file in docs. */
const pageOf = (file) => `/${file.replace(/(^|\/)README\.md$/, '$1').replace(/\.md$/, '')}`;

function sidebar() {
  const sections = docsIndex(readFileSync(path.join(DOCS, 'README.md'), 'utf8'));
  const items = ({ rows }) =>
    rows.flatMap(({ links }) =>
      links
        .filter(({ path: file }) => file.endsWith('.md') && file !== 'reference/README.md')
        .map(({ text, path: file }) => ({ text: text[0].toUpperCase() + text.slice(1), link: pageOf(file) })),
    );
  const folder = (name, files) =>
    files.map((file) => ({ text: titleOf(`${name}/${file}`), link: pageOf(`${name}/${file}`) }));
  const reference = readdirSync(path.join(DOCS, 'reference')).filter((file) => file !== 'README.md');
  return [
    { text: 'Start here', items: items(sections.find(({ part }) => part === 'Start here')) },
    { text: 'Find by task', link: '/#find-by-task' },
    ...sections
      .filter(({ part }) => part === 'Reference')
      .map((section) => ({ text: section.title, collapsed: section.title === 'Details', items: items(section) })),
    {
      text: 'API reference',
      collapsed: true,
      items: [{ text: 'All names', link: '/reference/' }, ...folder('reference', reference)],
    },
    { text: 'Decisions', collapsed: true, items: folder('decisions', DECISIONS) },
  ];
}

/**
 * Returns the target of a link on the site: pages in docs stay relative, README.md is the index of its folder, and every
 * other file is in the repository.
 */
function targetOf(href, page) {
  const [file, anchor] = href.split('#');
  if (file === '' || /^[a-z]+:/i.test(file)) return href;
  const target = path.resolve(DOCS, path.dirname(page), file);
  const hash = anchor === undefined ? '' : `#${anchor}`;
  if (target === path.join(DOCS, 'decisions')) return `${file}/${DECISIONS[0]}`;
  if (path.relative(DOCS, target).startsWith('..')) {
    const kind = statSync(target).isDirectory() ? 'tree' : 'blob';
    return `${REPOSITORY}/${kind}/main/${path.relative(ROOT, target).replaceAll(path.sep, '/')}${hash}`;
  }
  return file.replace(/README\.md$/, 'index.md') + hash;
}

/** The links of a page, and its diagrams, which the browser draws. */
function extend(md) {
  md.core.ruler.push('links', ({ tokens, env }) => {
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      if (token.type === 'link_open') token.attrSet('href', targetOf(token.attrGet('href'), env.relativePath ?? ''));
    }
  });
  const fence = md.renderer.rules.fence;
  md.renderer.rules.fence = (tokens, index, ...rest) => {
    const { info, content } = tokens[index];
    if (info.trim() !== 'mermaid') return fence(tokens, index, ...rest);
    return `<Diagram code="${encodeURIComponent(content)}" />\n`;
  };
}

/**
 * The search of the site. Its functions run in the browser, so they use nothing outside of themselves. Headings and pages
 * of the guide come first.
 */
const SEARCH = {
  options: {
    processTerm: (term) =>
      /^(?:a|an|and|are|as|at|be|by|can|do|does|for|from|how|i|if|in|is|it|its|my|of|on|or|that|the|to|we|what|when|with|you)$/i.test(
        term,
      )
        ? null
        : term.toLowerCase(),
  },
  searchOptions: {
    fuzzy: (term) => (term.length > 4 ? 0.2 : false),
    prefix: (term) => term.length > 2,
    boost: { title: 6, titles: 2, text: 1 },
    boostDocument: (id) => (/\/guide\//.test(id) ? 2 : /\/(?:reference|decisions)\//.test(id) ? 0.3 : 1),
  },
};

export default defineConfig({
  title: 'tasker-core',
  description: 'Workflow orchestration for TypeScript on PostgreSQL',
  lang: 'en',
  base: process.env.DOCS_BASE ?? '/',
  srcDir: 'pages',
  srcExclude: ['public/**'],
  head: [['link', { rel: 'icon', href: `${process.env.DOCS_BASE ?? '/'}icon.svg` }]],
  rewrites: { 'README.md': 'index.md', 'reference/README.md': 'reference/index.md' },
  vite: { build: { chunkSizeWarningLimit: 4000 } },
  markdown: { anchor: { slugify: anchorOf }, theme: createCssVariablesTheme({ name: 'variables' }), config: extend },
  themeConfig: {
    logo: '/icon.svg',
    nav: [
      { text: 'Start', link: '/guide/first-workflow' },
      { text: 'Find by task', link: '/#find-by-task' },
      { text: 'API reference', link: '/reference/' },
    ],
    sidebar: sidebar(),
    outline: [2, 3],
    search: { provider: 'local', options: { miniSearch: SEARCH } },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    editLink: { pattern: `${REPOSITORY}/edit/main/docs/:path` },
  },
});
