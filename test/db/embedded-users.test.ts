import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  ask,
  asNobody,
  isRoot,
  runs,
  seededFolder,
  start,
  startUser,
  temporaryFolder,
  untilGone,
} from '../support/embedded/embedded-users.ts';

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
