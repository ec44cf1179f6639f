import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import type { TaskTimeline } from '../../src/client/contract.ts';
import { defineBatchAnalyzer } from '../../src/handlers/batch/define-batch-analyzer.ts';
import { defineBatchWorker } from '../../src/handlers/batch/define-batch-worker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { template, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { busyPerFrame, checkAccess, FRAME_MS, type ServedPage, servePage, watchedPage } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

const WORKERS = 12;
/** Number of steps of the long task. */
const MANY = 1_000;

const load = template(
  {
    split: { type: 'batchable' },
    part: {
      type: 'batch_worker',
      dependencies: ['split'],
      retry: { retryable: false },
      batch_config: {
        batch_size: 1,
        parallelism: 10,
        cursor_field: 'id',
        worker_template: 'part',
        failure_strategy: 'fail_fast',
      },
    },
    bad: { retry: { max_attempts: 1 } },
    later: ['bad'],
  },
  { name: 'load' },
);
const order = template({ pick: [], pack: ['pick'], send: ['pack'] }, { name: 'order' });
const many = template(
  Object.fromEntries(Array.from({ length: MANY }, (_, at) => [`step_${at + 1}`, { handler: 'pick' }])),
  { name: 'many' },
);
const handlers = [
  ...['pick', 'pack', 'send', 'later'].map((name) => defineHandler(name, {}, () => ({}))),
  defineHandler('bad', {}, () => {
    throw new PermanentError('the card was refused');
  }),
  defineBatchAnalyzer('split', { workerTemplate: 'part' }, () => ({
    totalItems: WORKERS,
    batchSize: 1,
    maxBatches: WORKERS,
  })),
  defineBatchWorker('part', {}, ({ batchContext }) => {
    if (batchContext?.startCursor === WORKERS - 1) throw new PermanentError('the last row is not a number');
    return { itemsProcessed: 1, results: [], lastCursor: 1 };
  }),
];

describeWith('chromium', 'the timeline of a task', () => {
  let served: ServedPage;
  let tasker: Tasker;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    served = await servePage({ templates: [load, order, many], handlers });
    tasker = served.tasker;
  });
  afterAll(() => served?.close());
  beforeEach(async () => {
    ({ page, problems } = await watchedPage(served.browser, served.server.url));
  });
  afterEach(() => page.context().close());

  const create = async (name: string, reached: string) => {
    const { taskUuid } = await tasker.createTask({ namespace: 'test', name, context: {} });
    await until(
      () => tasker.getTask(taskUuid),
      ({ status }) => status === reached,
      120_000,
    );
    return taskUuid;
  };
  const show = async (uuid: string) => {
    await page.goto(`${served.server.url}/tasks/${uuid}?view=timeline`);
    const rows = page.getByRole('list', { name: 'Timeline' });
    await rows.waitFor();
    return rows;
  };
  /** Changes the last step in the responses of the server: the seconds that it was in the queue, and that it ran. */
  const delaySend = (queuedS: number, ranS: number) =>
    page.route('**/timeline', async (route) => {
      const answer = await route.fetch();
      const timeline = (await answer.json()) as TaskTimeline;
      const send = timeline.steps.find(({ name }) => name === 'send')!;
      const ran = send.spans.find(({ kind }) => kind === 'running')!;
      const created = Date.parse(timeline.created_at);
      const at = (seconds: number) => new Date(created + seconds * 1000).toISOString();
      send.spans = [
        ...(queuedS > 0 ? [{ ...ran, kind: 'queued' as const, from: at(0), to: at(queuedS) }] : []),
        // The worker held the step for a second before its handler began.
        { ...ran, from: at(queuedS), to: at(queuedS + 1 + ranS), ran_ms: ranS * 1000 },
      ];
      await route.fulfill({ response: answer, json: timeline });
    });
  const ticks = () => page.locator('.timeline-tick').allTextContents();

  it('the axis has round times, bars have durations, and queueing is paler than running', async () => {
    const uuid = await create('order', 'complete');
    await delaySend(10, 83);
    const rows = await show(uuid);
    await expect.poll(ticks).toEqual(['0', '15 s', '30 s', '45 s', '1 min', '1 min 15 s', '1 min 30 s']);
    const last = rows.getByRole('button', { name: 'send: Complete' });
    await rows.getByText('waited 11.0 s and ran 1 min 23 s', { exact: true }).waitFor();
    const [queued, ran] = [last.getByTitle(/^waited: 11\.0 s/), last.getByTitle(/^attempt 1 .*: ran 1 min 23 s/)];
    const color = (title: string) =>
      page.evaluate(
        `getComputedStyle(document.querySelector('[aria-label^="send"] [title^="${title}"]')).backgroundColor`,
      );
    expect(await color('waited')).not.toBe(await color('attempt 1'));
    expect((await queued.boundingBox())!.height).toBe((await ran.boundingBox())!.height);
    // The duration is after the bar.
    const label = rows.getByText('waited 11.0 s and ran 1 min 23 s', { exact: true });
    const [bar, text] = [(await ran.boundingBox())!, (await label.boundingBox())!];
    expect(text.x).toBeGreaterThanOrEqual(bar.x + bar.width);
    // Each step of the critical path has a line below its bars.
    expect(await rows.locator('.bg-path').count()).toBe(3);
    await page.getByText('critical path', { exact: true }).waitFor();
    await checkAccess(page);
    await page.emulateMedia({ colorScheme: 'dark' });
    await checkAccess(page);
    expect(problems).toEqual([]);
  });

  it('dragging over the axis zooms, and a button shows the whole time again', async () => {
    const uuid = await create('order', 'complete');
    await delaySend(0, 93);
    await show(uuid);
    await expect.poll(ticks).toContain('1 min 15 s');
    const axis = (await page.locator('.timeline-axis').boundingBox())!;
    await page.mouse.move(axis.x + axis.width * 0.1, axis.y + 8);
    await page.mouse.down();
    await page.mouse.move(axis.x + axis.width * 0.2, axis.y + 8, { steps: 3 });
    await page.mouse.up();
    await expect.poll(ticks).toEqual(['10 s', '12 s', '14 s', '16 s', '18 s']);
    await page.getByRole('button', { name: 'Show the whole timeline' }).click();
    await expect.poll(ticks).toContain('1 min 15 s');
    expect(problems).toEqual([]);
    await page.unrouteAll({ behavior: 'ignoreErrors' });
  });

  it('a batch is one row with a count that can be unfolded, and steps that have not started are listed', async () => {
    const rows = await show(await create('load', 'blocked_by_failures'));
    const batch = rows.getByRole('button', { name: `part: ${WORKERS} workers, 1 failed` });
    await rows.getByText(/^1 failed · /).waitFor();
    expect(await rows.getByRole('listitem').count()).toBe(4);
    await rows.getByRole('button', { name: 'later: Pending' }).waitFor();
    await rows.getByRole('listitem').filter({ hasText: 'later' }).getByText('not started').waitFor();
    await checkAccess(page);
    await rows.getByRole('button', { name: 'unfold part' }).click();
    await expect.poll(() => rows.getByRole('listitem').count()).toBe(4 + WORKERS);
    await page.waitForURL(/unfold=part/);
    await rows
      .getByRole('button', { name: /^part.*: Failed$/ })
      .first()
      .click();
    await page.getByRole('complementary', { name: /^Step part/ }).waitFor();
    await rows.getByRole('button', { name: 'fold part' }).click();
    await expect.poll(() => rows.getByRole('listitem').count()).toBe(4);
    await batch.click();
    await page.getByRole('complementary', { name: 'Step part', exact: true }).waitFor();
    expect(problems).toEqual([]);
  });

  it('a timeline of 1,000 steps scrolls within the time of a frame', async () => {
    const rows = await show(await create('many', 'complete'));
    await expect.poll(() => rows.getByRole('listitem').count()).toBe(MANY);
    const busy = await busyPerFrame(page, () => scroll(page));
    expect(await page.evaluate('scrollY')).toBeGreaterThan(1000);
    expect(busy).toBeLessThan(FRAME_MS);
    expect(problems).toEqual([]);
  });
});

/** Scrolls down for a number of frames, and returns it. */
function scroll(shown: Page): Promise<number> {
  return shown.evaluate(`new Promise((resolve) => {
    let frames = 0;
    scrollTo(0, 0);
    const step = () => {
      scrollBy(0, 60);
      frames += 1;
      if (frames < 60) requestAnimationFrame(step);
      else resolve(frames);
    };
    requestAnimationFrame(step);
  })`);
}
