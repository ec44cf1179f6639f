import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { embeddedStatus } from '../../src/db/embedded/embedded-status.ts';
import { ownIdentity, pidWorld } from '../../src/db/embedded/process-identity.ts';
import {
  ask,
  runs,
  seededFolder,
  start,
  startUser,
  temporaryFolder,
  untilGone,
} from '../support/embedded/embedded-users.ts';

const home = (folder: string) => path.join(folder, '.tasker', 'postgres');
const pidFile = (folder: string) => path.join(home(folder), 'data', 'postmaster.pid');

describe('several processes', () => {
  it('that start at the same time share one server', async () => {
    const folder = temporaryFolder();
    const users = await Promise.all(Array.from({ length: 6 }, () => startUser(folder)));
    const ready = await Promise.all(users.map((user) => user.ready));
    expect(new Set(ready.map(({ postmasterPid }) => postmasterPid)).size).toBe(1);
    expect(ready.filter(({ started }) => started)).toHaveLength(1);
    await Promise.all(users.map((user) => user.stop()));
    await untilGone(ready[0]!.postmasterPid, 5_000);
  });

  it('share one server even if one process joins it twice at the same time', async () => {
    const folder = await seededFolder();
    const [first, second] = await Promise.all([start(folder), start(folder)]);
    expect(second.postmasterPid).toBe(first.postmasterPid);
    await Promise.all([first.stop(), second.stop(), first.stop()]);
    await untilGone(first.postmasterPid, 5_000);
  });

  it('keep the server running until the last of them is stopped or killed', async () => {
    const folder = await seededFolder();
    const [starter, second, third] = [await startUser(folder), await startUser(folder), await startUser(folder)];
    const { url, postmasterPid } = await starter.ready;
    await Promise.all([second.ready, third.ready]);

    await starter.kill();
    expect(await ask(url, 'select 1')).toBe(1);
    await second.stop();
    expect(await ask(url, 'select 1')).toBe(1);
    await third.kill();
    await untilGone(postmasterPid);
  });

  it('that are all killed at the same time leave no server running', async () => {
    const folder = await seededFolder();
    const users = await Promise.all(Array.from({ length: 3 }, () => startUser(folder)));
    const [{ postmasterPid }] = await Promise.all([users[0]!.ready, ...users.map((user) => user.ready)]);
    await Promise.all(users.map((user) => user.kill()));
    await untilGone(postmasterPid);
    expect((await start(folder)).started).toBe(true);
  });

  it('that start while the last user leaves get a server that keeps running', async () => {
    const folder = await seededFolder();
    let before = await startUser(folder);
    await before.ready;
    for (let round = 0; round < 8; round += 1) {
      const next = await startUser(folder);
      const gone = round % 2 === 0 ? before.kill() : before.stop();
      const { url } = await next.ready;
      await gone;
      expect(await ask(url, 'select 1')).toBe(1);
      before = next;
    }
    const { url, postmasterPid } = await before.ready;
    expect(await ask(url, 'select 1')).toBe(1);
    await before.stop();
    await untilGone(postmasterPid, 5_000);
  });
});

describe('a process that releases the server', () => {
  it('exits on its own', async () => {
    const folder = await seededFolder();
    const user = await startUser(folder);
    const { postmasterPid } = await user.ready;
    expect(await user.stop()).toBe(0);
    await untilGone(postmasterPid, 5_000);
    expect(processesNaming(home(folder))).toEqual([]);
  });

  it('no longer needs the folder', async () => {
    const folder = await seededFolder();
    const server = await start(folder);
    rmSync(path.join(folder, '.tasker'), { recursive: true });
    await server.stop();
    await untilGone(server.postmasterPid);
  });
});

describe('Ctrl-C', () => {
  it('in the terminal stops the program, not the server', async () => {
    const folder = await seededFolder();
    const other = await startUser(folder);
    const user = await startUser(folder);
    const { url, postmasterPid } = await user.ready;
    await other.ready;
    expect(sessionOf(postmasterPid)).not.toBe(sessionOf(process.pid));
    user.child.kill('SIGINT');
    await once(user.child, 'exit');
    expect(await ask(url, 'select 1')).toBe(1);
    await other.stop();
  });
});

describe('a server killed with SIGKILL', () => {
  it('recovers at the next start with all committed data', async () => {
    const folder = await seededFolder();
    const first = await start(folder, { durable: true });
    await ask(first.url, 'create table kept as select generate_series(1, 1000) as n');
    process.kill(first.postmasterPid, 'SIGKILL');

    const second = await start(folder, { durable: true });
    expect(second).toMatchObject({ started: true, url: first.url });
    expect(second.postmasterPid).not.toBe(first.postmasterPid);
    expect(await ask(second.url, 'select count(*)::int from kept')).toBe(1000);
    await first.stop();
    expect(await ask(second.url, 'select 1'), 'releasing the old server does not affect the new one').toBe(1);
  });

  it('recovers while one of its backends is in the middle of a query of many hours', async () => {
    const folder = await seededFolder();
    const first = await start(folder);
    const client = new pg.Client({ connectionString: first.url });
    client.on('error', () => undefined);
    await client.connect();
    const hours =
      'select count(*) from generate_series(1, 1e5) a, generate_series(1, 1e5) b, generate_series(1, 1e5) c';
    const busy = client.query(hours).catch((error: unknown) => error);
    const running = `select count(*)::int from pg_stat_activity where state = 'active' and query like '%1e5%1e5%1e5%'
      and pid <> pg_backend_pid()`;
    await vi.waitFor(async () => expect(await ask(first.url, running)).toBe(1), 10_000);
    process.kill(first.postmasterPid, 'SIGKILL');
    const second = await start(folder);
    expect(await ask(second.url, 'select 1')).toBe(1);
    expect(await busy).toBeInstanceOf(Error);
    await client.end().catch(() => undefined);
  });

  it('recovers when another process starts it, and keeps running for the process that started it first', async () => {
    const folder = await seededFolder();
    const starter = await startUser(folder);
    const { postmasterPid, url } = await starter.ready;
    process.kill(postmasterPid, 'SIGKILL');
    const second = await start(folder);
    expect(second).toMatchObject({ started: true, url });
    await second.stop();
    expect(await ask(url, 'select 1'), 'the first user still holds the server').toBe(1);
    await starter.kill();
    await untilGone(second.postmasterPid);
  });
});

describe('after a crash, the next start', () => {
  it('handles a postmaster.pid with the pid of another program', async () => {
    const folder = await seededFolder();
    const first = await start(folder);
    const left = readFileSync(pidFile(folder), 'utf8');
    await first.stop();
    const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
    onTestFinished(() => void stranger.kill());
    writeFileSync(pidFile(folder), left.replace(/^\d+/, String(stranger.pid)));

    const second = await start(folder);
    expect(second.started).toBe(true);
    await second.stop();
    expect(runs(stranger.pid!)).toBe(true);
  });

  it('handles a lock file of its socket with the pid of another program of the same user', async () => {
    const folder = await seededFolder();
    const first = await start(folder);
    const lock = path.join(new URL(first.url).searchParams.get('host')!, '.s.PGSQL.5432.lock');
    const left = readFileSync(lock, 'utf8');
    const { uid, gid } = statSync(lock);
    await first.stop();
    const stranger = spawn('sleep', ['60'], { stdio: 'ignore', uid, gid });
    onTestFinished(() => void stranger.kill());
    writeFileSync(lock, left.replace(/^\d+/, String(stranger.pid)));

    expect((await start(folder)).started).toBe(true);
    expect(runs(stranger.pid!)).toBe(true);
  });

  it('handles a postmaster.pid with an unused pid', async () => {
    const folder = await seededFolder();
    const first = await start(folder);
    const left = readFileSync(pidFile(folder), 'utf8');
    await first.stop();
    writeFileSync(pidFile(folder), left);
    expect((await start(folder)).started).toBe(true);
  });

  it('handles a partially created database', async () => {
    const folder = temporaryFolder();
    const user = await startUser(folder);
    user.ready.catch(() => undefined);
    await expect.poll(() => partialFolders(folder), { interval: 2 }).toHaveLength(2);
    await user.kill();
    expect(partialFolders(folder)).not.toEqual([]);

    const server = await start(folder);
    expect(await ask(server.url, 'select 1')).toBe(1);
    expect(partialFolders(folder)).toEqual([]);
  });

  it('handles a lock of a dead process, even if another program has its pid', async () => {
    const folder = temporaryFolder();
    mkdirSync(home(folder), { recursive: true });
    const lock = { ...ownIdentity(), started: '1', nonce: 'left-over', world: pidWorld() };
    writeFileSync(path.join(home(folder), 'lock'), JSON.stringify(lock));
    expect((await start(folder)).started).toBe(true);
  });

  it('handles the lock of a container that no longer exists', async () => {
    const folder = await seededFolder();
    const file = path.join(home(folder), 'lock');
    writeFileSync(file, JSON.stringify({ pid: 1, started: '1', nonce: 'left-over', world: 'pid:[another]' }));
    const minuteAgo = new Date(Date.now() - 60_000);
    utimesSync(file, minuteAgo, minuteAgo);
    expect((await start(folder)).started).toBe(true);
  });

  it.each([
    ['empty', ''],
    ['filled with zeros', '\0'.repeat(64)],
    ['JSON of a different shape', '{"runFolder":7}'],
  ])('handles a lock and a run-folder.json that are %s', async (_name, content) => {
    const folder = await seededFolder();
    const first = await start(folder);
    await first.stop();
    for (const name of ['lock', 'run-folder.json']) writeFileSync(path.join(home(folder), name), content);
    expect(await embeddedStatus(path.join(folder, '.tasker'))).toMatchObject({ running: false });
    expect((await start(folder)).started).toBe(true);
    expect(JSON.parse(readFileSync(path.join(home(folder), 'run-folder.json'), 'utf8'))).toMatchObject({
      runFolder: expect.any(String),
    });
  });

  it('handles an unreadable run-folder.json without stopping a server in use', async () => {
    const folder = await seededFolder();
    const first = await start(folder);
    writeFileSync(path.join(home(folder), 'run-folder.json'), '');
    const second = await startUser(folder);
    const joined = await second.ready;
    expect(joined).toMatchObject({ started: false, postmasterPid: first.postmasterPid, url: first.url });
    await first.stop();
    expect(await ask(joined.url, 'select 1')).toBe(1);
    await second.stop();
    await untilGone(joined.postmasterPid, 5_000);
  });

  it('handles an empty lock without stopping a server in use', async () => {
    const folder = await seededFolder();
    const first = await start(folder);
    writeFileSync(path.join(home(folder), 'lock'), '');
    utimesSync(path.join(home(folder), 'lock'), 1, 1);
    expect(await start(folder)).toMatchObject({ started: false, postmasterPid: first.postmasterPid });
  });

  it('replaces a server that has no watcher', async () => {
    const folder = await seededFolder();
    const first = await start(folder);
    const watchers = watchersOf(first.postmasterPid);
    for (const pid of watchers) process.kill(pid, 'SIGKILL');
    await Promise.all(watchers.map((pid) => untilGone(pid)));
    const second = await start(folder);
    expect(second).toMatchObject({ started: true, url: first.url });
    await second.stop();
    expect(await ask(second.url, 'select 1'), 'the first user still counts').toBe(1);
    await first.stop();
    await untilGone(second.postmasterPid, 5_000);
  });
});

function partialFolders(folder: string): string[] {
  try {
    return readdirSync(home(folder)).filter((name) => name.startsWith('data.new-'));
  } catch {
    return []; // not created yet
  }
}

const processes = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

function readProcess(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return ''; // the process exited between the listing and the read
  }
}

/** Fields of /proc/…/stat after the program's name: state, parent, group, session. */
const statOf = (pid: number): string[] => readProcess(pid, 'stat').split(') ').at(-1)!.split(' ');
const sessionOf = (pid: number): string => statOf(pid)[3]!;

function processesNaming(text: string): number[] {
  return processes().filter((pid) => pid !== process.pid && readProcess(pid, 'cmdline').includes(text));
}

function watchersOf(postmasterPid: number): number[] {
  return processes().filter(
    (pid) => sessionOf(pid) === String(postmasterPid) && readProcess(pid, 'cmdline').includes('tasker-db'),
  );
}
