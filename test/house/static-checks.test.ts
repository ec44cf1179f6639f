import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { checkCommits } from '../../scripts/check-files.mjs';
import { sentencesOf, textsOf } from '../../scripts/prose/texts.mjs';

/** Creates a repository with one commit for each subject. */
function repositoryWith(...subjects: string[]) {
  const root = mkdtempSync(path.join(tmpdir(), 'tasker-commits-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...args], {
      cwd: root,
      encoding: 'utf8',
    }).trim();
  git('init', '--quiet');
  const ids = subjects.map((subject) => {
    git('commit', '--quiet', '--allow-empty', '-m', subject);
    return git('rev-parse', 'HEAD');
  });
  return { root, ids };
}

it('only commit subjects after the given commit are checked', () => {
  const subjects = [
    'An old subject.',
    'worker: renew the lease in a thread',
    'Fixes',
    `docs: ${'long '.repeat(20)}end`,
  ];
  const { root, ids } = repositoryWith(...subjects, 'docs: end with a stop.');
  const found = checkCommits(root, ids[0]);
  expect(found).toHaveLength(3);
  expect(found.join('\n')).not.toMatch(/old subject|renew the lease/);
  expect(checkCommits(root, ids[4])).toEqual([]);
});

it('a given commit that is not in the history is reported, unless the history has only one commit', () => {
  const unknown = 'f'.repeat(40);
  expect(checkCommits(repositoryWith('docs: one', 'docs: two').root, unknown)).toEqual([
    expect.stringContaining('is not in the history'),
  ]);
  expect(checkCommits(repositoryWith('docs: one').root, unknown)).toEqual([]);
});

it('the prose of a page consists of its paragraphs and table rows, without code', () => {
  const page = '# A title\n\nOne. Two\nlines.\n\n```sh\nnobody\n```\n\n| a | b |\n|---|---|\n| `x` | a row |\n';
  const texts = textsOf('docs/page.md', page);
  expect(texts.map(({ line, kind, text }) => [line, kind, text.trim().replace(/\s+/g, ' ')])).toEqual([
    [1, 'page', 'A title'],
    [3, 'page', 'One. Two lines.'],
    [10, 'row', 'a b'],
    [11, 'row', '--- ---'],
    [12, 'row', 'code a row'],
  ]);
  expect(sentencesOf('One. Two\nlines. "Three!" Four')).toEqual(['One.', 'Two\nlines.', '"Three!"', 'Four']);
});

it('the prose of a program consists of its comments, messages and titles, without SQL', () => {
  const code = [
    '// A comment of',
    '// two lines.',
    "const message = 'a message with words';",
    "const statement = 'select a from b where c';",
    "it('a title of a test', () => {});",
  ].join('\n');
  const found = (file: string) => textsOf(file, code).map(({ kind, text }) => `${kind}: ${text}`);
  const always = ['comment: A comment of\ntwo lines.', 'title: a title of a test'];
  expect(found('src/a.ts').sort()).toEqual([...always, 'string: a message with words'].sort());
  expect(found('test/a.test.ts').sort()).toEqual(always.sort());
});
