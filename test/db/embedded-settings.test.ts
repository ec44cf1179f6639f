import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ask, seededFolder, start, temporaryFolder } from '../support/embedded/embedded-users.ts';

describe('an embedded server', () => {
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
