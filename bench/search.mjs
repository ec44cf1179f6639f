// Measures searches on many tasks: the first page, a page deep in the list, and the count.
//   npm run bench:search -- [--ended 2000000] [--open 200000] [--runs 20] [--folder DIR] [--only text] [--check] [--beside DIR]
// --folder: keeps the filled server there, for the next run. --check: instead reads all pages of each search in both
// directions, and compares their rows. --beside DIR: instead compares the first pages with those of a second server, which
// it fills with a tenth of the tasks and keeps there. Both servers run each search in turn.
import { parseArgs } from 'node:util';
import { createTasker, silentLogger } from 'tasker-core';
import { startNight } from './fill-night.mjs';
import { searches } from './searches.mjs';
import { serverCpu } from './server-cpu.mjs';

const { values: options } = parseArgs({
  options: {
    ended: { type: 'string', default: '2000000' },
    open: { type: 'string', default: '200000' },
    runs: { type: 'string', default: '20' },
    folder: { type: 'string' },
    only: { type: 'string' },
    check: { type: 'boolean', default: false },
    beside: { type: 'string' },
  },
});

function quantile(sorted, q) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

async function timesOf(run, runs) {
  const times = [];
  for (let i = 0; i < runs; i++) {
    const began = performance.now();
    await run();
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b);
}

/** Returns the cursor of a page some thousand rows deep, or of the last page of a shorter result. */
async function deepCursor(find) {
  let cursor;
  for (let i = 0; i < 5; i++) {
    const { nextCursor, timedOut } = await find({ limit: 1000, cursor });
    if (nextCursor === null || timedOut) return cursor;
    cursor = nextCursor;
  }
  return cursor;
}

/** Reads all pages forwards and backwards. Returns the first inconsistency, or undefined. */
async function faultOf(find, total) {
  const keys = (page) => (page.tasks ?? page.steps).map((row) => row.stepUuid ?? row.taskUuid);
  const pages = [];
  let cursor;
  let last;
  do {
    last = await find({ limit: 150, cursor });
    pages.push(keys(last));
    cursor = last.nextCursor ?? undefined;
  } while (cursor !== undefined);
  const all = pages.flat();
  if (new Set(all).size !== all.length) return `${all.length - new Set(all).size} rows are on two pages`;
  if (all.length !== total) return `${all.length} rows on all pages, but a count of ${total}`;
  const back = [];
  for (cursor = last.previousCursor ?? undefined; cursor !== undefined; ) {
    const page = await find({ limit: 150, cursor });
    back.unshift(keys(page));
    cursor = page.previousCursor ?? undefined;
  }
  return back.flat().join() === pages.slice(0, -1).flat().join()
    ? undefined
    : 'the pages differ when they are read backwards';
}

/** Starts a server with the tasks of the night, and a tasker that searches them. */
async function startSearch(kept, size) {
  const { url, probe, stop } = await startNight(kept, size);
  try {
    const tasker = await createTasker({ databaseUrl: url, worker: false, autoStart: false, logger: silentLogger });
    const { rows } = await probe.query(`
      select (select correlation_id from tasker.task_search order by created_at desc limit 1) "correlationId",
             (select parent_correlation_id from tasker.task_search where parent_correlation_id is not null
               order by created_at limit 1) "parentCorrelationId",
             (select count(*) from tasker.task_search) tasks, (select count(*) from tasker.step_search) steps`);
    console.log(`${rows[0].tasks} tasks, ${rows[0].steps} steps in the search tables`);
    return { tasker, probe, all: searches(rows[0]), stop: () => tasker.stop().then(stop) };
  } catch (error) {
    await stop();
    throw error;
  }
}

function nameOf({ filter, steps, sort }) {
  const conditions = Object.entries(filter).map(
    ([key, value]) => `${key}=${typeof value === 'object' ? JSON.stringify(value) : value}`,
  );
  return [steps ? 'steps' : 'tasks', ...conditions, sort ? `sort=${sort}` : ''].join(' ');
}

function finderOf(tasker, { filter, steps, sort, order }) {
  return (page) =>
    steps ? tasker.listSteps(filter, { order, ...page }) : tasker.listTasks(filter, { sort, order, ...page });
}

const counted = ({ total, totalIsExact, timedOut }) =>
  `${total}${totalIsExact ? '' : '+'}${timedOut ? ' stopped' : ''}`;

/** Compares the times of first pages on two servers. */
async function compare(night, tenth) {
  console.log(`${'ms, median'.padEnd(64)}${'a tenth'.padStart(9)}${'all'.padStart(9)}${'ratio'.padStart(8)}   counts`);
  for (const [i, search] of night.all.entries()) {
    const name = nameOf(search);
    if (options.only !== undefined && !name.includes(options.only)) continue;
    const finds = [finderOf(tenth.tasker, tenth.all[i]), finderOf(night.tasker, search)];
    const times = [[], []];
    const runs = search.slow ? 3 : Number(options.runs);
    for (let run = -2; run < runs; run++) {
      for (const [k, find] of finds.entries()) {
        const [ms] = await timesOf(() => find({ limit: 50 }), 1);
        if (run >= 0) times[k].push(ms);
      }
    }
    const [few, many] = times.map((each) =>
      quantile(
        each.sort((a, b) => a - b),
        0.5,
      ),
    );
    const counts = await Promise.all(finds.map((find) => find({ limit: 50 })));
    console.log(
      `${name.padEnd(64)}${few.toFixed(1).padStart(9)}${many.toFixed(1).padStart(9)}${(many / few).toFixed(2).padStart(8)}   ${counts.map(counted).join(' and ')}`,
    );
  }
}

/** Measures each search, or with `--check` compares its pages. */
async function measure({ tasker, probe, all }) {
  console.log(
    `${'ms, median / p95'.padEnd(64)}${'first page'.padStart(16)}${'deep page'.padStart(16)}${'CPU'.padStart(8)}  ${'count'.padStart(8)}`,
  );
  let late = 0;
  const cpu = await serverCpu(probe);
  for (const search of all) {
    const { slow, wide } = search;
    const name = nameOf(search);
    if (options.only !== undefined && !name.includes(options.only)) continue;
    const find = finderOf(tasker, search);
    if (options.check) {
      const { total, totalIsExact } = await find({ limit: 1 });
      if (slow || !totalIsExact) continue;
      const fault = await faultOf(find, total);
      if (fault) late++;
      console.log(`${name.padEnd(64)} ${fault ?? `${total} rows`}`);
      continue;
    }
    const runs = slow ? 3 : Number(options.runs);
    await timesOf(() => find({ limit: 50 }), 2);
    const before = cpu();
    const first = await timesOf(() => find({ limit: 50 }), runs);
    const used = (cpu() - before) / runs / 1000;
    const cursor = await deepCursor(find);
    const deep = cursor && (await timesOf(() => find({ limit: 50, cursor }), runs));
    const page = await find({ limit: 50 });
    const shown = (times) =>
      times
        ? `${quantile(times, 0.5).toFixed(1)} / ${quantile(times, 0.95).toFixed(1)}`.padStart(16)
        : '-'.padStart(16);
    const most = Math.max(quantile(first, 0.95), deep ? quantile(deep, 0.95) : 0);
    const isLate = most > (slow || wide ? 2_500 : 50);
    if (isLate) late++;
    console.log(
      `${name.padEnd(64)}${shown(first)}${shown(deep)}${used.toFixed(1).padStart(8)}  ${counted(page).padStart(8)}${isLate ? '  LATE' : ''}`,
    );
  }
  console.log(
    late === 0 ? 'no search was late' : `${late} searches took longer than 50 ms (2.5 s if no index serves them)`,
  );
  if (late > 0) process.exitCode = 1;
}

const size = { ended: Number(options.ended), open: Number(options.open) };
const night = await startSearch(options.folder, size);
try {
  if (options.beside === undefined) await measure(night);
  else {
    const tenth = await startSearch(options.beside, { ended: size.ended / 10, open: size.open / 10 });
    await compare(night, tenth).finally(() => tenth.stop());
  }
} finally {
  await night.stop();
}
