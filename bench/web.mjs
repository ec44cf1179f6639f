// Measures the web page in a browser: the graph of a task with 1,000 steps, and pages while 2,000 tasks change every
// second. Exits with 1 if a limit is missed.
//   node bench/web.mjs [--seconds 60]     DATABASE_URL, or an embedded server; chromium, or CHROMIUM
import http from 'node:http';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { createTasker, defineHandler, mustParseTemplate, silentLogger } from 'tasker-core';
import { restApp } from '../dist/rest/rest-app.js';
import { listen } from '../dist/server/listen.js';
import { buildWebIfStale } from '../scripts/build-web.mjs';
import { withDatabase, withServer } from './harness.mjs';

const STEPS = 1_000;
const CHANGES_PER_SECOND = 2_000;
const VIEW = { width: 1440, height: 900 };
const LIMITS = { firstPaintMs: 1_000, frames: 1.5, longestFrameMs: 100, core: 0.5, growth: 1.1 };
/** The time before the first measurement of a live page's memory, in seconds. */
const WARM_UP = 15;

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, verbose: { type: 'boolean' } } });
const misses = [];

function report(what, text, ok) {
  console.log(`${ok ? '   ' : 'MISS'} ${what.padEnd(44)} ${text}`);
  if (!ok) misses.push(what);
}

/** Returns a template with ranks of 20 steps. Each step depends on two steps of the previous rank. */
function wideTemplate() {
  const width = 20;
  const steps = Array.from({ length: STEPS }, (_, i) => {
    const rank = Math.floor(i / width);
    const parent = (offset) => `step_${(rank - 1) * width + ((i + offset) % width)}`;
    return { name: `step_${i}`, handler: 'work', ...(rank > 0 && { depends_on: [parent(0), parent(7)] }) };
  });
  const head = { name: 'wide', namespace: 'bench', version: '1.0.0', identity_strategy: 'always_unique' };
  return mustParseTemplate(JSON.stringify({ ...head, steps }));
}

/** A script that records the duration of each frame, and the time at which the first step was drawn. */
const WATCH = `
  window.frames_ = [];
  let last = performance.now();
  const tick = () => {
    const now = performance.now();
    window.frames_.push(now - last);
    last = now;
    if (window.drawnAt === undefined && document.querySelector('canvas[data-nodes]')) window.drawnAt = now;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
`;

/** Pans and zooms for some seconds. Returns the durations of the frames, sorted. */
async function framesWhileMoving(page) {
  const [x, y] = [500, 560];
  await page.mouse.move(x, y);
  await page.evaluate('window.frames_.length = 0');
  for (let round = 0; round < 4; round++) {
    await page.mouse.down();
    for (let i = 0; i < 30; i++) {
      await page.mouse.move(x + Math.sin(i / 5) * 180, y + Math.cos(i / 5) * 90);
      await sleep(8);
    }
    await page.mouse.up();
    for (let i = 0; i < 30; i++) {
      await page.mouse.wheel(0, round % 2 === 0 ? -60 : 60);
      await sleep(8);
    }
  }
  return (await page.evaluate('window.frames_')).slice(1).sort((a, b) => a - b);
}

const median = (sorted) => sorted[Math.floor(sorted.length / 2)];

/** Waits until the page has sent no request for two seconds. */
async function settled(page) {
  const count = () => page.evaluate(`performance.getEntriesByType('resource').length`);
  for (let before = -1, now = await count(); now !== before; [before, now] = [now, await count()]) await sleep(2_000);
}

async function measureGraph(browser, { url, task }) {
  const page = await browser.newPage({ viewport: VIEW });
  await page.addInitScript(WATCH);
  await page.goto(`${url}/icon.svg`);
  const empty = await framesWhileMoving(page);
  // Loads the page once without a measurement, so that the server reads its files and prepares its statements.
  await page.goto(`${url}/tasks/${task}`);
  await page.locator('canvas[data-nodes]').first().waitFor();

  await page.goto('about:blank');

  const fresh = await browser.newContext({ viewport: VIEW });
  const cold = await fresh.newPage();
  await cold.addInitScript(WATCH);
  const session = await browser.newBrowserCDPSession();
  const [server, before] = [process.cpuUsage(), await cpuOf(session)];
  await cold.goto(`${url}/tasks/${task}`);
  await cold.locator('canvas[data-nodes]').first().waitFor();
  const { user, system } = process.cpuUsage(server);
  const pageMs = ((await cpuOf(session)) - before) * 1_000;
  const paintMs = await cold.evaluate('window.drawnAt');
  const drawn = Number(await cold.locator('canvas[data-nodes]').getAttribute('data-nodes'));
  if (drawn !== STEPS) throw new Error(`${drawn} nodes are drawn instead of ${STEPS}`);
  const cpu = `CPU time: page ${Math.round(pageMs)} ms, server ${Math.round((user + system) / 1_000)} ms`;
  report('first paint of 1,000 nodes', `${Math.round(paintMs)} ms (${cpu})`, paintMs < LIMITS.firstPaintMs);
  const timing = await cold.evaluate(`performance.getEntriesByType('resource')
    .map(({ name, startTime, responseEnd }) => [Math.round(startTime), Math.round(responseEnd), name])`);
  if (values.verbose) for (const [from, to, name] of timing) console.log(`       ${from} to ${to} ms: ${name}`);
  await settled(cold);
  const moving = await framesWhileMoving(cold);
  const ratio = median(moving) / median(empty);
  const text = `${median(moving).toFixed(1)} ms, empty page ${median(empty).toFixed(1)} ms: ${ratio.toFixed(2)} times`;
  report('median frame while panning and zooming', text, ratio <= LIMITS.frames);
  const [longest, longestEmpty] = [moving.at(-1), empty.at(-1)];
  const longestText = `${longest.toFixed(0)} ms of ${moving.length} frames, empty page ${longestEmpty.toFixed(0)} ms`;
  report('longest frame', longestText, longest <= LIMITS.longestFrameMs);
  await page.close();
  await fresh.close();
}

/** Forwards requests to the server, but generates the changes in streams, to measure the page without the engine. */
async function busyServer(target, task) {
  const { task_uuid: _, ...sample } = await (await fetch(`${target}/v1/tasks/${task}`)).json();
  delete sample.steps;
  delete sample.context;
  const ids = Array.from({ length: 5_000 }, () => crypto.randomUUID());
  let sent = 0;
  const proxy = http.createServer((request, response) => {
    if (request.url.startsWith('/v1/stream')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => {
        const blocks = Array.from({ length: CHANGES_PER_SECOND / 20 }, () => {
          const id = ++sent % 1_000 === 0 ? task : ids[sent % ids.length];
          return `event: task\ndata: ${JSON.stringify({ task_uuid: id, ...sample, revision: sent })}\n\n`;
        });
        response.write(blocks.join(''));
      }, 50);
      response.on('close', () => clearInterval(timer));
      return;
    }
    const { hostname, port } = new URL(target);
    const { method, headers, url: path } = request;
    const onward = http.request({ hostname, port, method, headers, path }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const close = () => {
    proxy.closeAllConnections();
    return new Promise((resolve) => proxy.close(resolve));
  };
  return { url: `http://127.0.0.1:${proxy.address().port}`, close, sent: () => sent };
}

/** Returns the CPU seconds of all renderer processes. The other pages are idle. */
async function cpuOf(session) {
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  return processInfo.filter(({ type }) => type === 'renderer').reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

async function heapOf(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  return usedSize;
}

async function measureLive({ url, task }, seconds) {
  for (const [name, path] of [
    ['the list', 'tasks'],
    ['the task', `tasks/${task}`],
  ]) {
    const busy = await busyServer(url, task);
    const browser = await startBrowser();
    const page = await browser.newPage({ viewport: VIEW });
    await page.goto(`${busy.url}/${path}`);
    await page.locator('h1').waitFor();
    await sleep(WARM_UP * 1_000);
    const session = await browser.newBrowserCDPSession();
    const [heap, cpu, began, sent] = [await heapOf(page), await cpuOf(session), performance.now(), busy.sent()];
    await sleep(seconds * 1_000);
    const took = (performance.now() - began) / 1_000;
    const share = ((await cpuOf(session)) - cpu) / took;
    const rate = Math.round((busy.sent() - sent) / took);
    const after = await heapOf(page);
    report(
      `${name}, CPU while live`,
      `${Math.round(share * 100)} % of a core at ${rate} changes/s`,
      share < LIMITS.core,
    );
    const text = `${mb(heap)} MB, ${mb(after)} MB after ${Math.round(took)} s`;
    report(`${name}, memory`, text, after < heap * LIMITS.growth + 1_000_000);
    await browser.close();
    await busy.close();
  }
}

const mb = (bytes) => (bytes / 1_000_000).toFixed(1);

function startBrowser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
}

buildWebIfStale();
await withServer((serverUrl) =>
  withDatabase(serverUrl, async (databaseUrl) => {
    const tasker = await createTasker({
      databaseUrl,
      templates: [wideTemplate()],
      handlers: [defineHandler('work', {}, () => ({ ok: true }))],
      namespaces: ['bench'],
      logger: silentLogger,
    });
    const facts = { version: '0.0.0', environment: 'bench', state: () => 'running' };
    const server = await listen(restApp({ tasker, logger: silentLogger, facts }), { host: '127.0.0.1', port: 0 });
    try {
      const { taskUuid: task } = await tasker.createTask({ namespace: 'bench', name: 'wide', context: {} });
      await tasker.waitForTask(task, { timeoutMs: 120_000 });
      const browser = await startBrowser();
      await measureGraph(browser, { url: server.url, task });
      await browser.close();
      await measureLive({ url: server.url, task }, Number(values.seconds));
    } finally {
      await server.close();
      await tasker.stop({ drainTimeoutMs: 1_000 });
    }
  }),
);
process.exitCode = misses.length > 0 ? 1 : 0;
