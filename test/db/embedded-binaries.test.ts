import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findBinariesPackage, readLinks } from '../../src/db/embedded/binaries/binaries-package.ts';
import { startEmbedded } from '../../src/db/embedded/start-embedded.ts';
import { ask, asNobody, isRoot, start, startUser, temporaryFolder } from '../support/embedded/embedded-users.ts';

const packageOf = (major: number) => path.resolve('node_modules', `postgres-${major}-linux-x64`);
const older = [15, 17].filter((major) => existsSync(packageOf(major)));

/** Copies the package of the programs without its links, as npm leaves it when install scripts are disabled. */
function packageWithoutLinks(release: string): string {
  const original = findBinariesPackage().root;
  const copy = path.join(temporaryFolder({ inside: tmpdir() }), 'package');
  cpSync(original, copy, { recursive: true, filter: (file) => !file.endsWith('.a') });
  for (const { target } of readLinks(original)) rmSync(path.join(copy, target), { force: true });
  writeFileSync(path.join(copy, 'package.json'), JSON.stringify({ version: release }));
  return copy;
}

/** Returns the folder in which root keeps a release. It is removed after the test. */
function cachedRelease(release: string): string {
  const folder = path.join('/var/cache/tasker-core', `postgres-${release}-${process.platform}-${process.arch}`);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('the programs of PostgreSQL', () => {
  it.each(older)('may be of version %i', async (major) => {
    const server = await start(temporaryFolder(), { binaries: packageOf(major) });
    expect(server.version).toMatch(new RegExp(`^${major}\\.`));
    expect(await ask(server.url, 'select current_database()')).toBe('tasker');
  });

  it.runIf(older.length > 0)('reject the data of another major version, and name both versions', async () => {
    const folder = temporaryFolder();
    await (await start(folder, { binaries: packageOf(older[0]!) })).stop();
    await expect(start(folder)).rejects.toMatchObject({
      code: 'embedded_failed',
      message: expect.stringMatching(
        new RegExp(
          `created by PostgreSQL ${older[0]}, but PostgreSQL 18\\.\\d+ is installed; reinstall .* or set DATABASE_URL`,
        ),
      ),
    });
  });

  it('are not needed to join a running server', async () => {
    const folder = temporaryFolder();
    await start(folder);
    expect((await start(folder, { binaries: '/nowhere' })).started).toBe(false);
  });
});

describe.runIf(isRoot)('programs installed without their postinstall script', () => {
  it('run from a copy that all users may read and only root may change', async () => {
    const release = `18.4.0-test.${process.pid}`;
    const cache = cachedRelease(release);
    const server = await start(temporaryFolder(), { binaries: packageWithoutLinks(release) });
    expect(await ask(server.url, 'select 1')).toBe(1);
    expect(statSync(path.join(cache, 'bin', 'postgres'))).toMatchObject({ uid: 0 });
    expect(statSync(cache).mode & 0o777).toBe(0o755);
    expect(statSync(path.dirname(cache)).mode & 0o022).toBe(0);
    // Other tests may be copying other releases.
    const copies = readdirSync(path.dirname(cache)).filter((name) => name.startsWith(path.basename(cache)));
    expect(copies).toEqual([path.basename(cache)]);
  });

  it('are copied only once, even if several processes need them at the same time', async () => {
    const release = `18.4.1-test.${process.pid}`;
    const cache = cachedRelease(release);
    const binaries = packageWithoutLinks(release);
    const users = await Promise.all([1, 2, 3].map(() => startUser(temporaryFolder(), { binaries })));
    for (const user of users) expect(await user.ready).toMatchObject({ started: true });
    await Promise.all(users.map((user) => user.stop()));
    expect(readdirSync(path.dirname(cache)).filter((name) => name.startsWith(path.basename(cache)))).toHaveLength(1);
  });

  it('run from a copy next to the data if the user has no home folder', async () => {
    const folder = temporaryFolder({ inside: tmpdir(), mode: 0o777 });
    const binaries = packageWithoutLinks('18.4.0-test.nobody');
    const user = await startUser(folder, { binaries, as: asNobody });
    const { url } = await user.ready;
    expect(await ask(url, 'select 1')).toBe(1);
    expect(readdirSync(path.join(folder, '.tasker', 'postgres')).join()).toContain('postgres-18.4.0-test.nobody');
    await user.stop();
  });
});

describe.runIf(isRoot)('programs that the user of the server cannot read', () => {
  it('run from a copy', async () => {
    const release = `18.4.2-test.${process.pid}`;
    const cache = cachedRelease(release);
    const binaries = path.join(temporaryFolder({ inside: tmpdir(), mode: 0o700 }), 'package');
    cpSync(findBinariesPackage().root, binaries, { recursive: true, verbatimSymlinks: true });
    writeFileSync(path.join(binaries, 'package.json'), JSON.stringify({ version: release }));
    const server = await start(temporaryFolder(), { binaries });
    expect(await ask(server.url, 'select 1')).toBe(1);
    expect(existsSync(cache)).toBe(true);
  });

  it('are not run from a cache that other users can write to', async () => {
    const release = `18.4.3-test.${process.pid}`;
    const cache = cachedRelease(release);
    const shared = path.dirname(cache);
    mkdirSync(shared, { recursive: true });
    chmodSync(shared, 0o777);
    onTestFinished(() => chmodSync(shared, 0o755));
    const folder = temporaryFolder({ inside: tmpdir() });
    const server = await start(folder, { binaries: packageWithoutLinks(release) });
    expect(await ask(server.url, 'select 1')).toBe(1);
    expect(existsSync(cache)).toBe(false);
    expect(readdirSync(path.join(folder, '.tasker', 'postgres')).join()).toContain(release);
  });
});

const canMount = isRoot && process.platform === 'linux' && spawnSync('mount', ['--version']).status === 0;

describe.runIf(canMount)('a full disk', () => {
  /** Mounts a small disk. Returns its folder, or undefined where mounting is not allowed. */
  function smallDisk(megabytes: number): string | undefined {
    const folder = path.join(temporaryFolder(), 'disk');
    mkdirSync(folder);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
    if (mounted.status !== 0) return undefined;
    onTestFinished(() => void spawnSync('umount', ['-l', folder]));
    return folder;
  }

  it('while the database is created causes one clear error and leaves no partial files', async ({ skip }) => {
    const disk = smallDisk(20) ?? skip();
    await expect(startEmbedded({ folder: path.join(disk, '.tasker') })).rejects.toMatchObject({
      code: 'embedded_failed',
      message: expect.stringMatching(/No space left on device/),
    });
    expect(readdirSync(path.join(disk, '.tasker', 'postgres')).filter((name) => name.startsWith('data'))).toEqual([]);
  });

  it('while the server starts causes one clear error', async ({ skip }) => {
    const disk = smallDisk(80) ?? skip();
    await (await start(disk)).stop();
    spawnSync('sh', ['-c', 'cat /dev/zero > "$1"', 'sh', path.join(disk, 'filler')]);
    await expect(start(disk)).rejects.toMatchObject({
      code: expect.stringMatching(/embedded_failed|folder_not_writable/),
      message: expect.stringMatching(/full|no space left/i),
    });
    rmSync(path.join(disk, 'filler'));
    expect((await start(disk)).started).toBe(true);
  });
});
