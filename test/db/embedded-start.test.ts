import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { embeddedStatus } from '../../src/db/embedded/embedded-status.ts';
import { startEmbedded, stopEmbedded } from '../../src/db/embedded/start-embedded.ts';
import {
  ask,
  asNobody,
  isRoot,
  runs,
  seed,
  seededFolder,
  start,
  startUser,
  temporaryFolder,
  untilGone,
} from '../support/embedded/embedded-users.ts';

describe('an embedded server', () => {
  it('starts in an empty folder, accepts connections, and keeps its data across restarts', async () => {
    const folder = temporaryFolder();
    const first = await start(folder);
    expect(first).toMatchObject({ started: true, version: expect.stringMatching(/^18\.\d+$/) });
    await ask(first.url, 'create table kept as select 42 as answer');
    await first.stop();
    expect(runs(first.postmasterPid)).toBe(false);

    const second = await start(folder);
    expect(second.started).toBe(true);
    expect(await ask(second.url, 'select answer from kept')).toBe(42);
  });

  it('reports each event in one line', async () => {
    const folder = temporaryFolder();
    const lines: string[] = [];
    await start(folder, { onLog: (line) => lines.push(line) });
    await start(folder, { onLog: (line) => lines.push(line) });
    expect(lines).toEqual([
      expect.stringMatching(/^created a database with PostgreSQL 18/),
      expect.stringMatching(/^started PostgreSQL 18\.\d+ in .*, process \d+$/),
      expect.stringMatching(/^joined PostgreSQL 18\.\d+ in .*, process \d+$/),
    ]);
  });

  it('is durable by default, and does not listen on the network', async () => {
    const durable = await start(temporaryFolder(), { durable: true });
    const setting = (name: string) => ask(durable.url, `show ${name}`);
    expect(await setting('fsync')).toBe('on');
    expect(await setting('full_page_writes')).toBe('on');
    expect(await setting('synchronous_commit')).toBe('on');
    expect(await setting('listen_addresses')).toBe('');
    expect(await setting('max_connections')).toBe('200');
    expect(await setting('shared_buffers')).toBe('128MB');
    expect(await setting('server_encoding')).toBe('UTF8');
    expect(await ask(durable.url, 'select datcollate from pg_database where datname = current_database()')).toBe('C');

    const fast = await start(temporaryFolder(), { settings: { max_connections: '50' } });
    expect(await ask(fast.url, 'show fsync')).toBe('off');
    expect(await ask(fast.url, 'show max_connections')).toBe('50');
  });

  it('uses WAL segments of 4 MB, because all commits wait while a segment is created', async () => {
    const { url } = await start(await seededFolder());
    expect(await ask(url, 'show wal_segment_size')).toBe('4MB');
    // Smaller segments do not make checkpoints more frequent.
    expect(await ask(url, 'show max_wal_size')).toBe('1GB');
    expect(await ask(url, 'show min_wal_size')).toBe('80MB');
  });

  it('requires the password, and its socket is in a folder that only its user can enter', async () => {
    const { url, logFile } = await start(await seededFolder());
    const address = new URL(url);
    const socketFolder = address.searchParams.get('host')!;
    expect(statSync(socketFolder).mode & 0o777).toBe(0o700);
    expect(statSync(logFile).mode & 0o777).toBe(0o600);
    expect(statSync(path.join(path.dirname(logFile), 'data', 'tasker.password')).mode & 0o777).toBe(0o600);
    address.password = 'guessed';
    await expect(ask(address.href, 'select 1')).rejects.toThrow('password authentication failed');
  });

  it('is joined by a second user, in this process or another', async () => {
    const folder = await seededFolder();
    const first = await start(folder);
    const second = await start(folder);
    const third = await startUser(folder);
    expect(second).toMatchObject({ started: false, postmasterPid: first.postmasterPid, url: first.url });
    expect(await third.ready).toMatchObject({ started: false, postmasterPid: first.postmasterPid, url: first.url });
    await first.stop();
    await second.stop();
    expect(await ask((await third.ready).url, 'select 1')).toBe(1);
    await third.stop();
    expect(runs(first.postmasterPid)).toBe(false);
  });

  it('reports whether it runs, and stops on `tasker db stop` even if it is in use', async () => {
    const folder = temporaryFolder();
    const place = path.join(folder, '.tasker');
    expect(await embeddedStatus(place)).toMatchObject({ running: false, inUse: false });
    expect(await stopEmbedded(place)).toBe(false);

    const { url, postmasterPid, logFile } = await start(folder);
    expect(await embeddedStatus(place)).toEqual({
      running: true,
      inUse: true,
      pid: postmasterPid,
      url,
      version: '18',
      dataFolder: path.join(place, 'postgres', 'data'),
      logFile,
    });
    expect(await stopEmbedded(place)).toBe(true);
    expect(runs(postmasterPid)).toBe(false);
    expect(await embeddedStatus(place)).toMatchObject({ running: false, version: '18' });
  });

  it('renames a large log file at its start', async () => {
    const folder = await seededFolder();
    const first = await start(folder);
    await first.stop();
    writeFileSync(first.logFile, 'x'.repeat(2_000_000));
    await start(folder);
    expect(statSync(first.logFile).size).toBeLessThan(100_000);
    expect(statSync(`${first.logFile}.1`).size).toBe(2_000_000);
  });

  it('does not log the errors of statements', async () => {
    const { url, logFile } = await start(await seededFolder());
    await expect(ask(url, 'select nothing_like_it')).rejects.toThrow('nothing_like_it');
    expect(readFileSync(logFile, 'utf8')).not.toContain('nothing_like_it');
  });

  it('starts within a second in an empty folder on an idle machine, and faster at the next start', async () => {
    const folder = temporaryFolder();
    const measure = async () => {
      const before = performance.now();
      const server = await start(folder, { durable: true });
      await ask(server.url, 'select 1');
      const took = performance.now() - before;
      await server.stop();
      return Math.round(took);
    };
    const cold = await measure();
    let warm = await measure();
    for (let tries = 0; warm >= cold && tries < 4; tries++) warm = Math.min(warm, await measure());
    console.log(`embedded server: cold start to first answer ${cold} ms, warm ${warm} ms`);
    expect(warm).toBeLessThan(cold); // by how much depends on the load of the machine
  });
});

describe.runIf(isRoot)('an embedded server started by root', () => {
  it('runs as another user, who owns the data', async () => {
    const { postmasterPid, logFile } = await start(temporaryFolder());
    const uid = Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${postmasterPid}/status`, 'utf8'))?.[1]);
    expect(uid).not.toBe(0);
    expect(statSync(path.join(path.dirname(logFile), 'data')).uid).toBe(uid);
  });

  it('keeps its folder owned by root so that its own user cannot place links in the folder', async () => {
    const folder = temporaryFolder();
    const { postmasterPid, logFile } = await start(folder);
    const home = path.dirname(logFile);
    expect(statSync(home)).toMatchObject({ uid: 0 });
    expect(statSync(home).mode & 0o777).toBe(0o711);
    const { uid } = statSync(path.join(home, 'data'));
    expect(uid).not.toBe(0);
    expect(statSync(path.join(home, 'run')).uid).toBe(uid);
    expect(readdirSync(home).filter((name) => lstatSync(path.join(home, name)).uid !== 0)).toEqual(['data', 'run']);
    expect(runs(postmasterPid)).toBe(true);
  });

  it('can have a folder that its user cannot enter, such as the home of root', async () => {
    const hidden = await seededFolder({ mode: 0o700 });
    const server = await start(hidden);
    expect(await ask(server.url, 'select 1')).toBe(1);
    const other = await startUser(hidden);
    expect(await other.ready).toMatchObject({ started: false });
    await server.stop();
    expect(await ask(server.url, 'select 1')).toBe(1);
    await other.kill();
    await untilGone(server.postmasterPid);
  });

  it('runs as the owner of its data if another user created the data', async () => {
    const folder = temporaryFolder({ mode: 0o777 });
    const theirs = await startUser(folder, { as: asNobody });
    const { postmasterPid } = await theirs.ready;
    const mine = await start(folder);
    expect(mine).toMatchObject({ started: false, postmasterPid });
    await theirs.stop();
    await mine.stop();

    const again = await start(folder);
    expect(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${again.postmasterPid}/status`, 'utf8'))?.[1]).toBe('65534');
    await again.stop();
    expect(await (await startUser(folder, { as: asNobody })).ready).toMatchObject({ started: true });
  });
});

describe.runIf(isRoot)('an embedded server started by a user other than root', () => {
  it('runs as that user', async () => {
    const folder = temporaryFolder({ mode: 0o777 });
    const user = await startUser(folder, { as: asNobody });
    const { url, postmasterPid } = await user.ready;
    expect(await ask(url, 'select 1')).toBe(1);
    expect(await user.stop()).toBe(0);
    expect(runs(postmasterPid)).toBe(false);
  });

  it("fails with PostgreSQL's own message if the user has no name", async () => {
    const folder = temporaryFolder({ mode: 0o777 });
    const user = await startUser(folder, { as: { uid: 54321, gid: 54321 } });
    await expect(user.ready).rejects.toMatchObject({
      code: 'embedded_failed',
      message: expect.stringMatching(/user ID 54321/),
    });
  });

  it('reports a folder that belongs to another user in one sentence', async () => {
    const folder = temporaryFolder();
    const user = await startUser(folder, { as: asNobody });
    await expect(user.ready).rejects.toMatchObject({
      code: 'folder_not_writable',
      message: expect.stringMatching(/^the embedded database cannot use the folder .*\.tasker: .*permission denied/),
    });
  });

  it('reports the owner of the folder if another user ran the server before', async () => {
    const folder = temporaryFolder({ mode: 0o777 });
    await (await start(folder)).stop();
    const user = await startUser(folder, { as: asNobody });
    await expect(user.ready).rejects.toMatchObject({
      code: 'folder_not_writable',
      message: expect.stringMatching(/owned by the user with id \d+/),
    });
  });
});

describe('the folder of an embedded server', () => {
  it.each(['with space', `it's "Zoë", 日本語 🐘 & 100%=1`])('may be named %s', async (name) => {
    const folder = path.join(temporaryFolder(), name);
    mkdirSync(folder);
    const server = await start(folder);
    expect(await ask(server.url, 'select 1')).toBe(1);
    await server.stop();
  });

  it('may have a path that is too long for a socket', async () => {
    const root = temporaryFolder();
    const folder = path.join(root, 'a'.repeat(80), 'b'.repeat(80));
    mkdirSync(folder, { recursive: true });
    const server = await start(await seed(folder));
    const socketFolder = new URL(server.url).searchParams.get('host')!;
    onTestFinished(() => rmSync(socketFolder, { recursive: true, force: true }));
    expect(socketFolder.length).toBeLessThan(90);
    expect(statSync(socketFolder).mode & 0o777).toBe(0o700);
    const second = await start(folder);
    expect(second).toMatchObject({ started: false, url: server.url });
    await second.stop();
    await server.stop();

    const again = await start(folder);
    expect(again.url).toBe(server.url);
    await again.stop();
  });

  it('gets its own server if it was copied with its data', async () => {
    const [original, copy] = [await seededFolder(), temporaryFolder()];
    const first = await start(original);
    await first.stop();
    execFileSync('cp', ['-a', path.join(original, '.tasker'), copy]);
    const again = await start(original);
    const second = await start(copy);
    expect(second.started).toBe(true);
    expect(second.url).not.toBe(again.url);
  });

  it('causes one clear error if it is not writable', async () => {
    const file = path.join(temporaryFolder(), 'a-file');
    writeFileSync(file, '');
    await expect(startEmbedded({ folder: path.join(file, '.tasker') })).rejects.toMatchObject({
      code: 'folder_not_writable',
      message: expect.stringContaining('set DATABASE_URL'),
    });
  });
});
