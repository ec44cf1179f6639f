import { describe, expect, it, onTestFinished } from 'vitest';
import { createTasker, silentLogger } from '../../src/index.ts';
import { startProxy } from '../support/crash/proxy.ts';
import { freshDatabase } from '../support/database.ts';

describe('a server that is lost while a tasker starts', () => {
  it.each(['tasker.migration', 'register_', 'namespace'])(
    'is reported as an unreachable database with advice, whichever statement fails (%s)',
    async (statement) => {
      const { url, drop } = await freshDatabase();
      const proxy = await startProxy(url);
      onTestFinished(async () => {
        proxy.close();
        await drop();
      });
      let cut = 0;
      proxy.decide = (sent) => {
        if (cut === 0 && !sent.includes(statement)) return undefined;
        cut++;
        return 'cut';
      };
      const started = createTasker({
        databaseUrl: proxy.url,
        namespaces: ['test'],
        handlers: [],
        templates: [],
        logger: silentLogger,
      });
      await expect(started).rejects.toMatchObject({
        code: 'database_unreachable',
        message: expect.stringMatching(/the server is running$/),
      });
      expect(cut).toBeGreaterThan(0);
    },
  );
});
