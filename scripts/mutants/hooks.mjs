// Setup file of every test file in a lane: skips tests that are not in the plan, and records the units of each test.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { ownerOf } from './owner.mjs';

const plan = JSON.parse(readFileSync(process.env.MUTANTS_PLAN, 'utf8'));
const UNITS = 20_000;
globalThis.__countedUnits ??= new Uint8Array(UNITS);
const counted = globalThis.__countedUnits;
globalThis.__countUnit ??= (unit) => {
  counted[unit] = 1;
};

let owner;

/** Saves the units executed so far for the current owner, and starts counting for the next one. */
function passTo(next) {
  if (!plan.count) return;
  const units = [];
  for (let unit = 0; unit < UNITS; unit++) if (counted[unit]) units.push(unit);
  counted.fill(0);
  if (owner && units.length > 0) appendFileSync(path.join(plan.hits, owner), `${units.join('\n')}\n`);
  owner = next;
  writeFileSync(path.join(plan.hits, 'owner'), next ?? '');
}

const fileOf = (task) => path.relative(plan.root, task.file.filepath);

function nameOf(task) {
  const names = [];
  for (let at = task; at; at = at.suite) names.unshift(at.name);
  return names.join(' > ');
}

// biome-ignore lint/correctness/noEmptyPattern: vitest requires a destructuring pattern here
beforeAll(({}, suite) => {
  passTo(ownerOf(path.relative(plan.root, suite.file.filepath)));
});

beforeEach((context) => {
  const only = plan.only?.[fileOf(context.task)];
  if (only && !only.includes(nameOf(context.task))) context.skip();
  passTo(ownerOf(fileOf(context.task), nameOf(context.task)));
});

afterAll(() => passTo(undefined));
