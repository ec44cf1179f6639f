import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { withFileLock } from '../../src/db/embedded/file-lock.ts';
import { isAlive, ownIdentity, pidWorld } from '../../src/db/embedded/process-identity.ts';

function lockFile(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'tasker-lock-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, 'lock');
}

/** Runs many callers at the same time. Returns the highest number of callers that held the lock at the same time. */
async function crowd(file: string): Promise<number> {
  let inside = 0;
  let most = 0;
  const enter = () =>
    withFileLock(file, async () => {
      inside += 1;
      most = Math.max(most, inside);
      await nextTurn();
      inside -= 1;
    });
  await Promise.all(Array.from({ length: 20 }, enter));
  return most;
}

/** Possible contents of a file that was being written when the machine lost power. */
const TORN = [
  { name: 'empty', content: '' },
  { name: 'cut off', content: '{"pid":12,"star' },
  { name: 'filled with zeros', content: '\0'.repeat(120) },
  { name: 'JSON of a different shape', content: '{"pid":"12"}' },
  { name: 'null', content: 'null' },
];

describe('the lock of a folder', () => {
  it('admits one holder at a time, and leaves no files behind', async () => {
    const file = lockFile();
    expect(await crowd(file)).toBe(1);
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });

  it('is released if the work fails', async () => {
    const file = lockFile();
    await expect(withFileLock(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withFileLock(file, () => Promise.resolve('in'))).toBe('in');
  });

  it('is taken over from a dead process by exactly one of many waiting processes', async () => {
    const file = lockFile();
    const dead = { ...ownIdentity(), started: '1', nonce: 'dead', world: pidWorld() };
    writeFileSync(file, JSON.stringify(dead));
    expect(await crowd(file)).toBe(1);
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });

  it.each(['is free', 'has a dead holder'])(
    'records when it was acquired instead of when the wait for it began if it %s',
    async (state) => {
      const file = lockFile();
      let release = () => {};
      const first = withFileLock(
        file,
        () =>
          new Promise<void>((resolve) => {
            release = resolve;
          }),
      );
      const second = withFileLock(file, () => Promise.resolve(Date.now() - statSync(file).mtimeMs));
      await nextTurn();
      const folder = path.dirname(file);
      const prepared = readdirSync(folder).filter((name) => name.startsWith('lock.new-'));
      expect(prepared).toHaveLength(1);
      for (const name of prepared) utimesSync(path.join(folder, name), 1, 1);
      if (state === 'is free') release();
      else writeFileSync(file, JSON.stringify({ ...ownIdentity(), started: '1', nonce: 'dead', world: pidWorld() }));
      expect(await second).toBeLessThan(8_000);
      release();
      await first;
    },
  );

  it.each(TORN)('is taken over by exactly one of many processes if its file is $name', async ({ content }) => {
    const file = lockFile();
    writeFileSync(file, content);
    expect(await crowd(file)).toBe(1);
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });

  it('is not taken over while the folder is in use and its unreadable file was modified recently', async () => {
    const file = lockFile();
    writeFileSync(file, '');
    let checks = 0;
    const inUse = () => {
      checks += 1;
      return Promise.resolve(checks < 3);
    };
    expect(await withFileLock(file, () => Promise.resolve(checks), { inUse })).toBe(3);
  });

  it('is taken over in a folder that is in use once its unreadable file has not been modified for a while', async () => {
    for (const seconds of [-60, 60]) {
      const file = lockFile();
      writeFileSync(file, '');
      utimesSync(file, Date.now() / 1000 + seconds, Date.now() / 1000 + seconds);
      expect(await withFileLock(file, () => Promise.resolve('in'), { inUse: () => Promise.resolve(true) })).toBe('in');
    }
  });
});

describe.runIf(process.platform === 'linux')('a process', () => {
  it('is distinguished from a later process with the same pid', () => {
    expect(isAlive(ownIdentity())).toBe(true);
    expect(isAlive({ ...ownIdentity(), started: '1' })).toBe(false);
    expect(isAlive({ pid: 1, started: '' })).toBe(true);
    expect(isAlive({ pid: 0, started: '' })).toBe(false);
  });

  it('that is a zombie is treated as dead', async () => {
    const program = 'exec 3<&0; (read _ <&3) & echo $!; exec sleep 60';
    const careless = spawn('sh', ['-c', program], { stdio: ['pipe', 'pipe', 'ignore'] });
    onTestFinished(() => void careless.kill());
    const [line] = (await once(createInterface({ input: careless.stdout }), 'line')) as [string];
    await expect.poll(() => readFileSync(`/proc/${careless.pid}/comm`, 'utf8'), { interval: 5 }).toBe('sleep\n');
    careless.stdin.end(); // its child exits, and sleep does not wait for it
    const stat = () => readFileSync(`/proc/${line}/stat`, 'utf8');
    await expect.poll(stat, { interval: 5 }).toContain(') Z ');
    expect(isAlive({ pid: Number(line), started: '' })).toBe(false);
  });
});
