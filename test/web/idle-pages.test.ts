import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect, it, onTestFinished, vi } from 'vitest';
import { buildWebIfStale } from '../../scripts/build-web.mjs';
import { createTasker } from '../../src/app/create-tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { LOCAL_SECURITY } from '../../src/rest/auth/settings.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { listen } from '../../src/server/listen.ts';
import { freshDatabase } from '../support/database.ts';
import { DEMO, template, until } from '../support/setup.ts';
import { leastOf, msOf } from '../support/suite/measure.ts';
import { describeWith } from '../support/suite/programs.ts';
import { patient, startBrowser, watchedPage } from './served-page.ts';

vi.setConfig({ testTimeout: 400_000 });

const OTHERS = 49;
/** Maximum delay of the requests of the other pages. */
const APART_MS = 4_000;
/** In this time, the page requests everything once more after its first data. */
const WARM_UP_MS = 15_000;
const MEASURED_MS = 70_000;

const refuse = defineHandler('refuse', {}, () => {
  throw new PermanentError('no');
});

/** Marks the code that runs for a page, including its later callbacks. */
const forPages = new AsyncLocalStorage<true>();

/** Counts the statements that are sent for pages, by their names. */
function countStatements(): Map<string, number> {
  const counts = new Map<string, number>();
  const send = pg.Client.prototype.query as (...sent: unknown[]) => unknown;
  const spy = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function count(this: pg.Client, ...sent) {
    const [statement] = sent as unknown as [string | { name?: string; text?: string }];
    const name = typeof statement === 'string' ? statement : (statement.name ?? statement.text ?? '');
    if (forPages.getStore() || name === 'read_changes') counts.set(name, (counts.get(name) ?? 0) + 1);
    return send.apply(this, sent) as never;
  });
  onTestFinished(() => spy.mockRestore());
  return counts;
}

describeWith('chromium', 'idle open pages', () => {
  it('fifty idle pages cause at most one statement a second', async () => {
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
    const tasker = await createTasker({ ...common, worker: false });
    onTestFinished(() => tasker.stop());
    const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
    // Without authentication, because it looks up each credential every two seconds.
    const security = { ...LOCAL_SECURITY, auth: { ...LOCAL_SECURITY.auth, required: 'never' as const } };
    const app = restApp({ tasker, logger: silentLogger, facts, security });
    const fetchForPage = (request: Request, env?: object) => forPages.run(true, () => app.fetch(request, env));
    const server = await listen(patient({ fetch: fetchForPage }), { host: '127.0.0.1', port: 0 });
    onTestFinished(() => server.close());
    const counts = countStatements();
    const browser = await startBrowser();
    onTestFinished(() => browser.close());

    const { page, problems } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/`);
    await page.getByText('tasks are blocked by a failed step').first().waitFor();
    // Each of the other pages follows the stream, and repeats the requests of the real page.
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
          const status = await fetch(address, { headers: request.headers() }).then(
            (answer) => answer.status,
            () => 0,
          );
          repeated += 1;
          if (status !== 200) failed.push(status);
        }, Math.random() * APART_MS);
      }
    });
    await sleep(WARM_UP_MS);
    counts.clear();
    const [asked, began] = [repeated, performance.now()];
    await sleep(MEASURED_MS);
    // Checks that the pages have sent many requests. A busy machine needs longer for them.
    await until(
      () => repeated - asked,
      (count) => count > OTHERS * 20,
      200_000,
    );
    const seconds = (performance.now() - began) / 1_000;
    const sum = [...counts.values()].reduce((total, count) => total + count, 0);
    expect(sum / seconds, JSON.stringify([...counts])).toBeLessThanOrEqual(1);
    expect(counts.get('recent_workers'), JSON.stringify([...counts])).toBeGreaterThan(0);
    // The counts include the statements of the reader of the streams.
    expect(counts.get('read_changes')).toBeGreaterThan(5);
    expect(failed).toEqual([]);
    expect(problems).toEqual([]);

    // A change is still seen immediately.
    let blocked = 3;
    const untilSeen = async () => {
      await worker.createTask(DEMO);
      blocked += 1;
      await page.getByRole('link', { name: `${blocked} tasks are blocked by a failed step` }).waitFor();
    };
    expect(await leastOf(15_000, () => msOf(untilSeen), 3)).toBeLessThan(15_000);
  });
});
