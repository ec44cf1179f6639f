import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { template, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { busyPerFrame, checkAccess, FRAME_MS, type ServedPage, servePage, watchedPage } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

type Steps = Record<string, { handler: string; dependencies?: string[]; retry?: object }>;

const STAGES = ['fetch', 'parse', 'check', 'enrich', 'price', 'tax', 'reserve', 'pack', 'label', 'notify'];
const REGIONS = Array.from({ length: 30 }, (_, at) => `region_${at + 1}`);
const FAILED = 'tax_region_9';
const UNORDERED = ['zeta', 'alpha', 'mike', 'bravo', 'yankee', 'charlie'];

const big: Steps = Object.fromEntries(
  STAGES.flatMap((stage, at) =>
    REGIONS.map((region) => {
      const name = `${stage}_${region}`;
      return [
        name,
        {
          handler: name === FAILED ? 'fail' : 'succeed',
          dependencies: at === 0 ? [] : [`${STAGES[at - 1]}_${region}`],
          retry: { max_attempts: 1 },
        },
      ];
    }),
  ),
);
const chain: Steps = Object.fromEntries(
  Array.from({ length: 12 }, (_, at) => [
    `link_${at + 1}`,
    { handler: 'succeed', dependencies: at === 0 ? [] : [`link_${at}`] },
  ]),
);
const fan: Steps = {
  start: { handler: 'succeed' },
  ...Object.fromEntries(UNORDERED.map((name) => [name, { handler: 'succeed', dependencies: ['start'] }])),
  end: { handler: 'succeed', dependencies: UNORDERED },
};
/** One step fails always, and the other one in a quarter of its tasks. */
const shaky: Steps = {
  rarely: { handler: 'sometimes', retry: { max_attempts: 1 } },
  always: { handler: 'fail', retry: { max_attempts: 1 } },
  never: { handler: 'succeed' },
};

let runs = 0;
const handlers = [
  defineHandler('succeed', {}, () => ({})),
  defineHandler('fail', {}, () => {
    throw new PermanentError('the rate is unknown');
  }),
  defineHandler('sometimes', {}, () => {
    runs += 1;
    if (runs % 4 === 0) throw new PermanentError('the rate is unknown');
    return {};
  }),
];

describeWith('chromium', 'large graphs on the web page', () => {
  let served: ServedPage;
  let tasker: Tasker;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    const templates = Object.entries({ big, chain, fan, shaky }).map(([name, steps]) => template(steps, { name }));
    served = await servePage({ templates, handlers });
    tasker = served.tasker;
  });
  afterAll(() => served?.close());
  beforeEach(async () => {
    ({ page, problems } = await watchedPage(served.browser, served.server.url));
  });
  afterEach(() => page.context().close());

  const open = async (name: string, reached: string) => {
    const { taskUuid } = await tasker.createTask({ namespace: 'test', name, context: {} });
    await until(
      () => tasker.getTask(taskUuid),
      ({ status }) => status === reached,
    );
    await page.goto(`${served.server.url}/tasks/${taskUuid}`);
    const graph = page.getByRole('region', { name: `Graph of ${name}` });
    await graph.waitFor();
    return graph;
  };
  const zoom = () =>
    page.evaluate(`new DOMMatrix(getComputedStyle(document.querySelector('.react-flow__viewport')).transform).a`);
  /** Returns the numbers of pixels of the picture that have the color of a token. */
  const pixels = (...tokens: string[]) =>
    page.evaluate(`(() => {
      const canvas = document.querySelector('canvas[data-nodes]');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const look = getComputedStyle(document.documentElement);
      return ${JSON.stringify(tokens)}.map((token) => {
        const hex = look.getPropertyValue('--' + token).trim();
        const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
        let count = 0;
        for (let at = 0; at < data.length; at += 4)
          if (data[at] === red && data[at + 1] === green && data[at + 2] === blue && data[at + 3] === 255) count += 1;
        return count;
      });
    })()`) as Promise<number[]>;

  /** Returns the number of dark pixels without a color: those of texts. */
  const dark = () =>
    page.evaluate(`(() => {
      const canvas = document.querySelector('canvas[data-nodes]');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let at = 0; at < data.length; at += 4)
        if (data[at + 3] > 200 && data[at] + data[at + 1] + data[at + 2] < 500 && Math.abs(data[at] - data[at + 2]) < 40) count += 1;
      return count;
    })()`) as Promise<number>;

  it('in a picture of 300 steps, complete ones are neutral, and the failed one is red', async () => {
    await open('big', 'blocked_by_failures');
    await expect.poll(async () => (await pixels('s-red'))[0]).toBeGreaterThan(100);
    const [red, green, neutral] = await pixels('s-red', 's-green', 'done');
    expect(green).toBe(0);
    expect(neutral).toBeGreaterThan(30 * red!);
    const named = await dark();
    expect(named).toBeGreaterThan(2_000);
    // Names are replaced by those of layers and of the failed step.
    const fitted = Number(await zoom());
    for (const times of [1, 2, 3]) {
      await page.getByRole('button', { name: 'Zoom Out' }).click();
      await expect.poll(zoom).toBeLessThan(fitted / 1.1 ** times);
    }
    await expect.poll(dark).toBeLessThan(named / 3);
    await expect.poll(async () => (await pixels('s-red'))[0]).toBeGreaterThan(20);
    await page.getByRole('button', { name: 'Fit', exact: true }).click();
    await expect.poll(zoom).toBeCloseTo(fitted, 2);
    await page.getByRole('img', { name: 'Map of the graph' }).waitFor();
    await checkAccess(page);
    // Only this test reads the picture.
    expect(problems.filter((text) => !text.includes('willReadFrequently'))).toEqual([]);
  });

  it('a search finds steps in a large graph, and Enter selects one after the other', async () => {
    const graph = await open('big', 'blocked_by_failures');
    const field = graph.getByLabel('Find a step');
    await field.fill('REGION_17');
    await graph.getByText('10', { exact: true }).waitFor();
    for (const stage of ['fetch', 'parse']) {
      await field.press('Enter');
      await page.getByRole('complementary', { name: `Step ${stage}_region_17` }).waitFor();
    }
    await graph.getByLabel('parse_region_17: Complete').waitFor();
    await field.fill('nothing like it');
    await graph.getByText('none', { exact: true }).waitFor();
    expect(problems).toEqual([]);
  });

  it('the wheel scrolls the page over a graph, and zooms with Ctrl', async () => {
    await page.setViewportSize({ width: 1200, height: 320 });
    const graph = await open('chain', 'complete');
    await graph.hover({ position: { x: 30, y: 60 } });
    const before = Number(await zoom());
    await page.mouse.wheel(0, 200);
    await expect.poll(() => page.evaluate('scrollY')).toBeGreaterThan(100);
    expect(await zoom()).toBe(before);
    await graph.hover({ position: { x: 30, y: 150 } });
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -200);
    await page.keyboard.up('Control');
    await expect.poll(zoom).toBeGreaterThan(before);
    expect(problems).toEqual([]);
  });

  it('a chain uses the width, and siblings are in the order of the template', async () => {
    const graph = await open('chain', 'complete');
    const boxOf = async (name: string) => (await graph.locator(`[data-node="${name}"]`).boundingBox())!;
    const [one, two, last] = [await boxOf('link_1'), await boxOf('link_2'), await boxOf('link_12')];
    expect(two.x).toBeGreaterThan(one.x + one.width);
    expect(two.y).toBeCloseTo(one.y, 0);
    expect(last.y).toBeLessThan(one.y + 6 * one.height);
    expect(Number(await zoom())).toBeGreaterThan(0.9);

    const other = await open('fan', 'complete');
    const across = (await other.getAttribute('data-direction')) === 'LR' ? 'y' : 'x';
    const places = await Promise.all(
      UNORDERED.map(async (name) => (await other.locator(`[data-node="${name}"]`).boundingBox())![across]),
    );
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(problems).toEqual([]);
  });

  it('a template of 300 steps opens at a size that can be read, and red grows with the share of failures', async () => {
    await page.goto(`${served.server.url}/templates/test/big/1.0.0`);
    const first = page.locator('.react-flow__node').filter({ hasText: /^fetch_region_1(?!\d)/ });
    expect((await first.boundingBox())!.height).toBeGreaterThan(32);
    await page.getByLabel('Find a step').fill(FAILED);
    await page.keyboard.press('Enter');
    await page.getByRole('region', { name: `Step ${FAILED}` }).waitFor();

    runs = 0;
    const tasks = await tasker.createTasks(
      Array.from({ length: 4 }, () => ({ namespace: 'test', name: 'shaky', context: {} })),
    );
    expect(tasks.length).toBe(4);
    await until(
      () => tasker.analytics({ since: '1h', name: 'shaky' }),
      ({ steps }) => steps.attempts >= 12,
    );
    await page.goto(`${served.server.url}/templates/test/shaky/1.0.0`);
    await page.getByText('25 % failed').waitFor();
    const redness = (name: string) =>
      page.evaluate(`(() => {
        const box = [...document.querySelectorAll('.react-flow__node')].find((node) => node.textContent.startsWith('${name}'));
        const brush = document.createElement('canvas').getContext('2d');
        brush.fillStyle = getComputedStyle(box.querySelector('.step-box')).backgroundColor;
        brush.fillRect(0, 0, 1, 1);
        const [red, green] = brush.getImageData(0, 0, 1, 1).data;
        return red - green;
      })()`) as Promise<number>;
    const [never, rarely, always] = [await redness('never'), await redness('rarely'), await redness('always')];
    expect(never).toBe(0);
    expect(rarely).toBeGreaterThan(20);
    expect(always).toBeGreaterThan(rarely + 20);
    await checkAccess(page);
    await page.emulateMedia({ colorScheme: 'dark' });
    await checkAccess(page);
    expect(problems).toEqual([]);
  });

  it('a graph of 300 steps pans within the time of a frame', async () => {
    await open('big', 'blocked_by_failures');
    const offset = () =>
      page.evaluate(`new DOMMatrix(getComputedStyle(document.querySelector('.react-flow__viewport')).transform).e`);
    const pans = async (scene: string) => {
      const before = Number(await offset());
      const busy = await busyPerFrame(page, () => pan(page));
      expect(Math.abs(Number(await offset()) - before), 'it moved').toBeGreaterThan(20);
      expect(busy, scene).toBeLessThan(FRAME_MS);
    };
    // The whole graph is a picture.
    expect(await page.locator('.react-flow__node').count()).toBeLessThan(10);
    await pans('a picture');
    // A part of it is nodes.
    await page.getByLabel('Find a step').fill('check_region_15');
    await page.keyboard.press('Enter');
    await page.getByLabel('check_region_15: Complete').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('.react-flow__node').count()).toBeGreaterThan(20);
    await pans('nodes');
    expect(problems).toEqual([]);
  });
});

/** Drags the graph in circles for a number of frames, and returns it. */
function pan(shown: Page): Promise<number> {
  return shown.evaluate(`new Promise((resolve) => {
    const pane = document.querySelector('.react-flow__pane');
    const { left, top } = pane.getBoundingClientRect();
    let frames = 0;
    const send = (target, type) =>
      target.dispatchEvent(new MouseEvent(type, {
        bubbles: true, cancelable: true, view: window, button: 0, buttons: 1,
        clientX: left + 300 + 120 * Math.sin(frames / 12), clientY: top + 150 + 60 * Math.cos(frames / 12),
      }));
    send(pane, 'mousedown');
    const step = () => {
      frames += 1;
      send(window, 'mousemove');
      if (frames < 90) requestAnimationFrame(step);
      else {
        send(window, 'mouseup');
        resolve(frames);
      }
    };
    requestAnimationFrame(step);
  })`);
}
