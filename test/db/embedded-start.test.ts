import { statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { embeddedStatus } from '../../src/db/embedded/embedded-status.ts';
import { stopEmbedded } from '../../src/db/embedded/start-embedded.ts';
import { ask, runs, seededFolder, start, startUser, temporaryFolder } from '../support/embedded/embedded-users.ts';

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
});
