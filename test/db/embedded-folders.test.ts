import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startEmbedded } from '../../src/db/embedded/start-embedded.ts';
import { ask, seed, seededFolder, start, temporaryFolder } from '../support/embedded/embedded-users.ts';

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
