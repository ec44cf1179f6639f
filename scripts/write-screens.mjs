// Takes pictures of all screens and dialogs of the web page for visual review: light and dark, large and small, with
// the data of examples/night and scripts/screens/day.mjs.
//   npm run screens                     into .screens/
//   npm run screens -- home task        only these
//   npm run screens -- --light --large  only in these colors and sizes
//   npm run screens -- --docs           the pictures of README and the guide, of a run of the demo, into docs/pictures
//   SCREENS_URL=http://… npm run screens   of a server that runs already
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { scenesOf } from './screens/scenes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = path.join(root, '.screens');
const SIZES = { large: { width: 1440, height: 900 }, small: { width: 390, height: 844 } };
const PATHS = [
  'tasks',
  'errors',
  'dead-letters',
  'approvals',
  'templates',
  'schedules',
  'events',
  'workers',
  'queues',
  'stats',
  'audit',
  'settings',
];

/** Starts a program and resolves with it when a line of its output matches. */
function started(args, cwd, ready) {
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        output += data;
        const found = ready.exec(output);
        if (found) resolve({ child, found });
      });
    }
    child.once('exit', () => reject(new Error(`${args[0]} ended: ${output}`)));
  });
}

/** Creates the data of the night in a separate database, and serves it. */
async function night() {
  const place = mkdtempSync(path.join(tmpdir(), 'tasker-screens-'));
  const worker = await started([path.join(root, 'examples/night/night.mjs')], place, /40 are complete/);
  const day = await started([path.join(root, 'scripts/screens/day.mjs')], place, /the day is made/);
  const args = [path.join(root, 'bin/tasker.js'), 'server', '--json', '--bind', '127.0.0.1:0'];
  const server = await started(args, place, /"url":"([^"]+)"/);
  const stop = async () => {
    for (const { child } of [server, day, worker]) {
      child.kill('SIGTERM');
      await new Promise((resolve) => child.once('exit', resolve));
    }
    rmSync(place, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  };
  return { url: server.found[1], stop };
}

const ask = async (url) => (await fetch(url)).json();

/** Returns the address of each picture. */
async function addresses(url) {
  const find = async (query) => (await ask(`${url}/v1/tasks?per_page=1&${query}`)).tasks[0]?.task_uuid;
  const task = await find('error_type=certificate_expired');
  const { entries } = await ask(`${url}/v1/dlq/entries?limit=1`);
  const found = {
    task,
    approval: await find('name=pay_refund'),
    batch: await find('name=import_payments'),
    month: await find('name=close_month'),
    ended: await find('name=send_invoice&state=complete'),
    letter: entries[0]?.dlq_entry_uuid,
  };
  return {
    home: '',
    ...Object.fromEntries(PATHS.map((name) => [name, name])),
    ...(task && {
      task: `tasks/${task}`,
      step: `tasks/${task}?step=charge_card`,
      timeline: `tasks/${task}?view=timeline`,
      steps: `tasks/${task}?view=steps`,
      history: `tasks/${task}?view=history`,
      data: `tasks/${task}?view=data`,
    }),
    template: 'templates/shop/fulfil_order/1.0.0',
    'new-task': 'templates/shop/fulfil_order/1.0.0/new',
    'new-schedule': 'schedules/new/form',
    keys: 'settings?view=keys',
    roles: 'settings?view=roles',
    ...scenesOf(found),
  };
}

/** Runs the demo, and serves its tasks. */
async function demo() {
  const place = mkdtempSync(path.join(tmpdir(), 'tasker-screens-'));
  const args = [path.join(root, 'examples/orders/demo.mjs'), '--web', '--folder', path.join(place, '.tasker')];
  const { child, found } = await started(args, place, /(http:\S+)\/tasks; Ctrl-C ends it/);
  const stop = async () => {
    child.kill('SIGINT');
    await new Promise((resolve) => child.once('exit', resolve));
    rmSync(place, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  };
  return { url: found[1], stop };
}

/** Returns the addresses of the pictures of README and the guide. */
async function docsAddresses(url) {
  const { tasks: blocked } = await ask(`${url}/v1/tasks?state=blocked_by_failures&per_page=50`);
  const { tasks: complete } = await ask(`${url}/v1/tasks?state=complete&per_page=50`);
  const failed = blocked.find(({ first_error: error }) => error?.step === 'check_fraud') ?? blocked[0];
  const waits = await Promise.all(
    complete.map(async ({ task_uuid }) => {
      const { steps } = await ask(`${url}/v1/tasks/${task_uuid}/timeline`);
      return {
        task_uuid,
        count: steps.flatMap(({ spans }) => spans).filter(({ kind }) => kind === 'retry_wait').length,
      };
    }),
  );
  const retried = waits.toSorted((one, other) => other.count - one.count)[0];
  return {
    'web-home': '',
    'web-task': `tasks/${failed.task_uuid}?step=${failed.first_error.step}`,
    'web-timeline': `tasks/${retried.task_uuid}?view=timeline`,
  };
}

/** Shortens the path of this machine in the texts of the page. */
function withoutPaths(place) {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(place, '~/shop/');
}

async function drawForDocs(browser, url) {
  const page = await browser.newPage({ viewport: { width: 1200, height: 760 }, colorScheme: 'light' });
  for (const [name, address] of Object.entries(await docsAddresses(url))) {
    await page.goto(`${url}/${address}`);
    await page.locator('h1').waitFor();
    await page.waitForTimeout(1_500);
    await page.evaluate(withoutPaths, root);
    await page.screenshot({ path: path.join(root, `docs/pictures/${name}.png`) });
  }
}

const forDocs = process.argv.includes('--docs');
const served = process.env.SCREENS_URL
  ? { url: process.env.SCREENS_URL, stop: async () => {} }
  : await (forDocs ? demo() : night());
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
/** Opens an address, performs the actions of the scene, and takes a picture. */
async function draw(page, { url, act, file }) {
  page.setDefaultTimeout(20_000);
  try {
    await page.goto(url);
    await page.locator('h1').waitFor();
    // The page polls, so that it is never idle for long.
    await page.waitForTimeout(800);
    await act?.(page);
    await page.waitForTimeout(200);
  } catch (error) {
    console.error(`${file}: ${error.message}`);
    process.exitCode = 1;
  }
  await page.screenshot({ path: path.join(folder, file) });
}

/** Draws every screen, in all sizes and colors. */
async function drawAll() {
  mkdirSync(folder, { recursive: true });
  const all = await addresses(served.url);
  const wanted = process.argv.slice(2).filter((name) => !name.startsWith('--'));
  const chosen = (names) => {
    const asked = names.filter((name) => process.argv.includes(`--${name}`));
    return asked.length > 0 ? asked : names;
  };
  for (const colorScheme of chosen(['light', 'dark'])) {
    for (const size of chosen(Object.keys(SIZES))) {
      const context = await browser.newContext({ viewport: SIZES[size], colorScheme });
      for (const [name, scene] of Object.entries(all)) {
        if (wanted.length > 0 && !wanted.includes(name)) continue;
        const { at, act, only = size } = typeof scene === 'string' ? { at: scene } : scene;
        if (only !== size) continue;
        // A page for each, because a scene may break the connection.
        const page = await context.newPage();
        await draw(page, { url: `${served.url}/${at}`, act, file: `${name}-${size}-${colorScheme}.png` });
        await page.close();
      }
      await context.close();
    }
  }
  console.log(`the pictures are in ${path.relative(process.cwd(), folder)}/`);
}

try {
  if (forDocs) await drawForDocs(browser, served.url);
  else await drawAll();
} finally {
  await browser.close();
  await served.stop();
}
