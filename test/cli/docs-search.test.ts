import { describe, expect, it } from 'vitest';
import { type DocsPage, docsSearch, packagedDocs, sectionsOf } from '../../src/cli/mcp/docs-search.ts';

const page = (path: string, text: string): DocsPage => ({ path, text });

describe('sections of a page', () => {
  it('are its headings with their text, and not the comments of code', () => {
    const text = '# Undo\n\nIntro.\n\n```sh\n# a comment\nls\n```\n\n## The `order`\n\nOne.\n\n### Deep\n\nTwo.\n';
    expect(sectionsOf(page('docs/a.md', text)).map(({ headings, anchor }) => [headings, anchor])).toEqual([
      [['Undo'], ''],
      [['Undo', 'The order'], 'the-order'],
      [['Undo', 'The order', 'Deep'], 'deep'],
    ]);
  });
});

describe('a search of pages', () => {
  const pages = [
    page(
      'docs/guide/undo.md',
      '# Undo\n\nReverses the steps.\n\n## If an undo fails\n\nAn operator repairs it.\n\nThen retry it.\n',
    ),
    page('docs/guide/retry.md', '# Retries\n\nA failed step is retried with backoff. See undo.\n'),
    page('docs/reference/undo.md', '# Undo names\n\n## UndoOptions\n\nOptions of an undo.\n'),
  ];
  const found = (query: string, limit = 10) =>
    docsSearch(pages)(query, limit).map(({ path, heading }) => `${path}: ${heading}`);

  it('begins with headings, and with the guide', () => {
    expect(found('undo').slice(0, 2)).toEqual([
      'docs/guide/undo.md: Undo',
      'docs/guide/undo.md: Undo > If an undo fails',
    ]);
    expect(found('undo').at(-1)).toBe('docs/guide/retry.md: Retries');
  });

  it('prefers sections that have all words, and ignores small words', () => {
    expect(found('what if the undo fails?')[0]).toBe('docs/guide/undo.md: Undo > If an undo fails');
  });

  it('finds other forms of a word, and beginnings of words', () => {
    expect(found('retry', 1)).toEqual(['docs/guide/retry.md: Retries']);
    expect(found('retrying', 1)).toEqual(['docs/guide/retry.md: Retries']);
    expect(found('UndoOpt', 1)).toEqual(['docs/reference/undo.md: Undo names > UndoOptions']);
  });

  it('shows the paragraph that has most of the words', () => {
    expect(docsSearch(pages)('undo fails retry', 1)).toMatchObject([
      { excerpt: 'Then retry it.', anchor: 'if-an-undo-fails' },
    ]);
  });

  it('returns nothing for words that no page has, and for small words alone', () => {
    expect(found('zeppelin')).toEqual([]);
    expect(found('the of a')).toEqual([]);
  });
});

describe('a search of the packaged documentation', () => {
  const search = docsSearch(packagedDocs());
  const first = (query: string) => {
    const [{ path, anchor } = { path: '', anchor: '' }] = search(query, 1);
    return path + (anchor && `#${anchor}`);
  };

  it.each([
    ['undo the steps of a task', /^docs\/guide\/undo\.md/],
    ['wait for a person to approve', /^docs\/guide\/(approvals|waiting)\.md/],
    ['retry only certain errors', /templates\.md#rules-for-certain-failures$/],
    ['pgbouncer transaction mode', /operations\.md#through-pgbouncer$/],
    ['delete old tasks', /docs\/guide\/(retention|operations)\.md/],
    ['drizzle transaction', /with-your-database\.md/],
    ['advanceTime', /testing\.md/],
  ])('finds the page for %j', (query, expected) => {
    expect(first(query)).toMatch(expected);
  });

  it('finds names of code, and shows a paragraph that has them', () => {
    for (const name of ['wait_timeout', 'advanceTime', 'DATABASE_DIRECT_URL']) {
      expect(search(name, 1)[0]!.excerpt).toContain(name);
    }
  });

  it('shows excerpts of at most 600 characters', () => {
    const results = search('step task worker retry', 20);
    expect(results).toHaveLength(20);
    expect(Math.max(...results.map(({ excerpt }) => excerpt.length))).toBeLessThanOrEqual(600);
  });
});
