import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { buildWebIfStale } from '../../scripts/build-web.mjs';
import { createTasker } from '../../src/app/create-tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { listen } from '../../src/server/listen.ts';
import { freshDatabase } from '../support/database.ts';
import { DEMO, template, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { startBrowser, watchedPage } from './served-page.ts';

vi.setConfig({ testTimeout: 400_000 });

const OTHERS = 49;
/** The requests of the other pages come up to this much later. */
const APART_MS = 4_000;
/** The page asks for everything once more after its first data. */
const WARM_UP_MS = 20_000;
const MEASURED_MS = 70_000;

const refuse = defineHandler('refuse', {}, () => {
  throw new PermanentError('no');
});

describeWith('chromium', 'open pages on which nothing happens', () => {
  it('fifty of them cost the database at most one statement a second', async () => {
    buildWebIfStale();
    const { url: databaseUrl, drop } = await freshDatabase();
    onTestFinished(drop);
    const common = { databaseUrl, templates: template({ refuse: [] }), namespaces: ['test'], logger: silentLogger };
    const worker = await createTasker({ ...common, handlers: [refuse] });
    onTestFinished(() => worker.stop({ drainTimeoutMs: 100 }));
    await worker.createTasks([DEMO, DEMO, DEMO]);
    await until(
      () => worker.summarizeTasks(),
      ({ states }) => states.blocked_by_failures === 3,
    );
    // The statements of the server alone.
    const tasker = await createTasker({ ...common, worker: false });
    onTestFinished(() => tasker.stop());
    const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
    const server = await listen(restApp({ tasker, logger: silentLogger, facts }), { host: '127.0.0.1', port: 0 });
    onTestFinished(() => server.close());
    const browser = await startBrowser();
    onTestFinished(() => browser.close());

    const { page, problems } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/`);
    await page.getByText('tasks are blocked by a failed step').waitFor();
    // Each of the other pages follows the stream, and repeats the requests of the real one.
    const streams = new AbortController();
    onTestFinished(() => streams.abort());
    for (let i = 0; i < OTHERS; i++) {
      const { body } = await fetch(`${server.url}/v1/stream`, { signal: streams.signal });
      void body!.pipeTo(new WritableStream()).catch(() => {});
    }
    let repeated = 0;
    const failed: number[] = [];
    page.on('request', (request) => {
      const address = request.url();
      if (!address.includes('/v1/') || address.includes('/v1/stream')) return;
      for (let i = 0; i < OTHERS; i++) {
        setTimeout(async () => {
          const { status } = await fetch(address, { headers: request.headers() });
          repeated += 1;
          if (status !== 200) failed.push(status);
        }, Math.random() * APART_MS);
      }
    });
    await sleep(WARM_UP_MS);
    const [statements, asked, began] = [tasker.statements, repeated, performance.now()];
    await sleep(MEASURED_MS);
    const seconds = (performance.now() - began) / 1_000;
    expect((tasker.statements - statements) / seconds).toBeLessThanOrEqual(1);
    // It was not idleness that made it cheap.
    expect(repeated - asked).toBeGreaterThan(OTHERS * 20);
    expect(failed).toEqual([]);
    expect(problems).toEqual([]);

    // A change is still seen at once.
    await worker.createTask(DEMO);
    await page.getByRole('link', { name: '4 tasks are blocked by a failed step' }).waitFor({ timeout: 15_000 });
  });
});
