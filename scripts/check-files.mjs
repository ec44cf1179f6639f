// Checks the files of the repository: forbidden texts, and broken links of the pages.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const NOT_OURS = new Set(['.git', 'node_modules', 'dist', 'coverage', '.tasker']);

function walk(root, folder = '') {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return [];
    const file = path.posix.join(folder, entry.name);
    return entry.isDirectory() ? walk(root, file) : [file];
  });
}

/** Returns the files that git tracks or would add. In a copy without git, returns all files. */
export function filesOf(root) {
  const options = ['-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { status, stdout } = spawnSync('git', options, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (status !== 0) return walk(root);
  return stdout.split('\0').filter((file) => file !== '' && existsSync(path.join(root, file)));
}

// Each pattern is written so that it does not match this file.
const FORBIDDEN = [
  { what: 'the address of a registry', pattern: /https?:\/\/[^\s"']*(?:registry|artifactory|verdaccio|npmmirror)/i },
  { what: 'a path of a particular machine', pattern: /(?<![\w.~$/])\/(?:work|workspace|home\/\w+|Users\/\w+)\// },
  { what: 'a test that excludes all others', pattern: /\b(?:it|test|describe)\.only\b/, in: /^test\// },
  { what: 'a skipped test', pattern: /\b(?:it|test|describe)\.(?:skip|todo)\(/, in: /^test\// },
  { what: 'a note about unfinished work', pattern: /\b(?:TO[D]O|FIX[M]E|XX[X])\b/ },
  { what: 'a conflict of a merge', pattern: /^(?:<{7}|>{7}) /m },
];

/** Returns the forbidden texts in the files, with file and line. */
export function checkContents(root) {
  return filesOf(root).flatMap((file) => {
    const text = readFileSync(path.join(root, file), 'utf8');
    if (text.includes('\0')) return [];
    return FORBIDDEN.filter((rule) => !rule.in || rule.in.test(file)).flatMap(({ what, pattern }) => {
      const found = pattern.exec(text);
      if (!found) return [];
      const line = text.slice(0, found.index).split('\n').length;
      return [`${file}:${line}: ${what}: ${found[0].trim()}`];
    });
  });
}

/** Returns the anchor that GitHub creates for a heading. */
export function anchorOf(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}

const withoutCode = (text) => text.replace(/^(`{3,}|~{3,})[\s\S]*?^\1/gm, '');

function anchorsOf(text) {
  return [...withoutCode(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => anchorOf(heading));
}

/** Returns the links of Markdown pages to missing files or headings, with page and target. */
export function checkLinks(root) {
  const pages = filesOf(root).filter((file) => file.endsWith('.md'));
  return pages.flatMap((page) => {
    const prose = withoutCode(readFileSync(path.join(root, page), 'utf8')).replace(/`[^`\n]*`/g, '');
    const targets = [...prose.matchAll(/\]\(<?([^)<>\s]+)>?(?:\s+"[^"]*")?\)/g)].map(([, target]) => target);
    return targets.flatMap((target) => {
      if (/^[a-z][a-z+.-]*:/i.test(target)) return [];
      const [file, anchor] = decodeURI(target).split('#');
      const there = file ? path.join(root, path.dirname(page), file) : path.join(root, page);
      if (!existsSync(there)) return [`${page}: ${target} does not exist`];
      if (!anchor || !there.endsWith('.md')) return [];
      if (anchorsOf(readFileSync(there, 'utf8')).includes(anchor)) return [];
      return [`${page}: ${target}: the page has no such heading`];
    });
  });
}

/** Commit subjects are checked from the commit after this one. */
const COMMITS_AFTER = '37a1267089f4a8f1faa2a54166c8a2053d2219d0';
const SUBJECT = /^[a-z][a-z0-9-]*(?:, [a-z][a-z0-9-]*)*: [^A-Z\s.].*[^.\s]$/;

function git(root, ...args) {
  const { status, stdout } = spawnSync('git', ['-c', 'safe.directory=*', ...args], { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout : undefined;
}

/**
 * Returns the subjects of new commits that do not follow CONTRIBUTING.md. A copy without the history of the project (no
 * git, a shallow clone, a single commit) has nothing to check.
 */
export function checkCommits(root, after = COMMITS_AFTER) {
  const log = git(root, 'log', '--no-merges', '--format=%h %s', `${after}..HEAD`);
  if (log === undefined) {
    const isShallow = git(root, 'rev-parse', '--is-shallow-repository')?.trim() !== 'false';
    const count = Number(git(root, 'rev-list', '--count', 'HEAD') ?? 0);
    return isShallow || count <= 1 ? [] : [`the commit ${after} is not in the history; correct COMMITS_AFTER`];
  }
  return log.split('\n').flatMap((line) => {
    const subject = line.slice(line.indexOf(' ') + 1);
    if (line === '' || (subject.length <= 72 && SUBJECT.test(subject))) return [];
    return [`${line}: a subject is "area: what it does", imperative, at most 72 characters, without a full stop`];
  });
}
