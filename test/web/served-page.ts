import AxeBuilderSource from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { buildWebIfStale } from '../../scripts/build-web.mjs';
import { type CreateTaskerOptions, createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import type { Answering } from '../../src/server/listen.ts';
import { type Listening, listen } from '../../src/server/listen.ts';
import { SCREENS } from '../../web/src/frame/screens.ts';
import { freshDatabase, type Sql } from '../support/database.ts';
import { programPath } from '../support/suite/programs.ts';

/** The paths of the screens of the main navigation, by their names. */
export const PATHS: Readonly<Record<string, string>> = Object.fromEntries(
  SCREENS.map(({ name, path }) => [name, path]),
);

/** Starts Debian's browser. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: programPath('chromium')!, args: ['--no-sandbox'] });
}

/**
 * Handles requests however long they have waited for their turn. A server rejects requests that have waited half a
 * second, and the process of the tests may stall for longer while the machine is busy.
 */
export function patient(app: Answering): Answering {
  return { fetch: (request, env) => app.fetch(request, { ...env, waitedMs: 0 }) };
}

/** Opens a page that collects problems: warnings, errors, and requests to other origins. */
export async function watchedPage(browser: Browser, origin: string): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  // The machine may be busy with other tests.
  page.setDefaultTimeout(90_000);
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) problems.push(`request to ${request.url()}`);
  });
  return { page, problems };
}

/** Fails on findings of axe-core that are serious or critical. */
export async function checkAccess(page: Page): Promise<void> {
  // Once for each document, because loading it takes as long as a check.
  if (!(await page.evaluate(`'axe' in globalThis`))) {
    await page.evaluate(`(() => {
      const module = { exports: {} };
      ${AxeBuilderSource.source};
      globalThis.axe = axe;
    })()`);
  }
  const found = await page.evaluate(
    `axe.run(document, { resultTypes: ['violations'], rules: { 'label-content-name-mismatch': { enabled: true } } })`,
  );
  const { violations } = found as {
    violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(
    serious.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('\n')}`,
    ),
    page.url(),
  ).toEqual([]);
}

/** A tasker whose page is served, with a browser to open it. */
export interface ServedPage {
  tasker: Tasker;
  server: Listening;
  browser: Browser;
  sql: Sql;
  close(): Promise<void>;
}

/** Builds the page if it is stale, and serves it for a tasker on a new database, for the namespace `test`. */
export async function servePage(
  options: Pick<CreateTaskerOptions, 'templates' | 'handlers'>,
  environment = 'test',
): Promise<ServedPage> {
  buildWebIfStale();
  const database = await freshDatabase();
  const tasker = await createTasker({
    databaseUrl: database.url,
    namespaces: ['test'],
    logger: silentLogger,
    ...options,
  });
  const facts = { version: '1.2.3', environment, state: () => 'running' };
  const app = patient(restApp({ tasker, logger: silentLogger, facts }));
  const server = await listen(app, { host: '127.0.0.1', port: 0 });
  const browser = await startBrowser();
  const close = async () => {
    await browser.close();
    await server.close();
    await tasker.stop({ drainTimeoutMs: 100 });
    await database.drop();
  };
  return { tasker, server, browser, sql: database.sql, close };
}

/** Time of a frame in ms at 60 Hz. */
export const FRAME_MS = 1000 / 60;

/**
 * Returns the processor time in ms that the main thread of a page uses for each frame while `act` runs, which returns the number
 * of its frames. Unlike the time between frames, it hardly depends on the other load of the machine. It is the least of three
 * rounds, because the caches of a busy machine are cold.
 */
export async function busyPerFrame(page: Page, act: () => Promise<number>): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const busySeconds = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')!.value;
  };
  const rounds: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const before = await busySeconds();
    const frames = await act();
    rounds.push(((await busySeconds()) - before) * (1000 / frames));
  }
  await session.detach();
  return Math.min(...rounds);
}

/** Opens a screen, and waits for its heading. */
export async function openScreen(page: Page, url: string, heading: string): Promise<void> {
  await page.goto(url);
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
}
