import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { serverSettings } from '../../src/app/server/server-config.ts';
import { createTasker, silentLogger } from '../../src/index.ts';
import { projectWith } from '../support/config-folder.ts';
import { emptyDatabase } from '../support/database.ts';

describe('a configuration file', () => {
  it('the file configures createTasker, and options take precedence over the file', async () => {
    const { url, drop } = await emptyDatabase();
    onTestFinished(drop);
    const cwd = projectWith({
      'mine.toml': `common.database.url = "${url}"\ncommon.database.pool.max_connections = 3\nworker.namespaces = ["shop"]\n`,
    });
    const given = { configPath: path.join(cwd, 'mine.toml'), databaseUrl: url, handlers: [], logger: silentLogger };
    const byFile = await createTasker(given);
    const byOption = await createTasker({ ...given, poolSize: 4, namespaces: ['mail'] });
    expect([byFile.vitals, byOption.vitals]).toMatchObject([
      { poolSize: 3, namespaces: ['shop'] },
      { poolSize: 4, namespaces: ['mail'] },
    ]);
    await Promise.all([byFile.stop(), byOption.stop()]);
  });

  it('the file can disable the port of a worker server', () => {
    const cwd = projectWith({ 'mine.toml': '[worker.web]\nenabled = false\n' });
    const given = { configPath: path.join(cwd, 'mine.toml'), logger: silentLogger };
    expect(serverSettings(given).loaded.config.webEnabled).toBe(false);
    const { webEnabled, webAddress } = serverSettings({ ...given, web: true }).loaded.config;
    expect([webEnabled, webAddress.host]).toEqual([true, '127.0.0.1']);
  });
});
