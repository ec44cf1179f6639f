import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, test } from 'vitest';
import { temporaryFolder } from '../support/embedded/embedded-users.ts';
import { copyTree } from '../support/suite/copy-tree.ts';
import { runProgram, startProgram } from './run-program.ts';

const DEMO = patientDemo();
const TOTALS = './orders-totals.txt';

/**
 * Returns a copy of the demo whose services have five times as long to respond. On a busy machine, responses may take longer
 * than the two seconds of the demo, and then other orders than those of its payment service are retried.
 */
function patientDemo(): string {
  const root = mkdtempSync(path.join(inject('data'), 'tasker-demo-'));
  copyTree('examples/orders', path.join(root, 'orders'));
  const change = (file: string, from: string, to: string) => {
    const copy = path.join(root, 'orders', file);
    const text = readFileSync(copy, 'utf8');
    expect(text).toContain(from);
    writeFileSync(copy, text.replaceAll(from, to));
  };
  change('templates/fulfil-order.yaml', 'timeout_seconds: 2', 'timeout_seconds: 10');
  change('templates/fulfil-order.yaml', 'timeout_seconds: 5', 'timeout_seconds: 25');
  change('services/payment-service.mjs', 'TOO_SLOW_MS = 6000', 'TOO_SLOW_MS = 30_000');
  const program = JSON.stringify(path.resolve('bin/tasker.js'));
  change('serve-web.mjs', "path.join(import.meta.dirname, '../../bin/tasker.js')", program);
  writeFileSync(path.join(root, 'package.json'), '{"type":"module"}');
  mkdirSync(path.join(root, 'node_modules'));
  symlinkSync(path.resolve('.'), path.join(root, 'node_modules/tasker-core'));
  for (const name of ['picocolors', 'pino', 'zod'])
    symlinkSync(path.resolve('node_modules', name), path.join(root, 'node_modules', name));
  return path.join(root, 'orders/demo.mjs');
}

const folderOf = () => path.join(temporaryFolder({ name: 'tasker-demo-' }), '.tasker');
const runDemo = (folder: string) => runProgram(DEMO, { args: ['--folder', folder] });
const startDemo = (folder: string) => startProgram(DEMO, { args: ['--folder', folder] });

/** Returns the part of the output that must be the same in every run. */
function totalsIn(stdout: string): string {
  const [, totals] = /\n( {2}orders .*?)\n\n/s.exec(stdout) ?? [];
  return `${totals ?? `no totals in:\n${stdout}`}\n`;
}

interface Capture {
  kind: string;
  order_id: string;
  amount_cents: number;
}

/** Returns the charges that the payment service recorded. */
function capturesIn(folder: string): Capture[] {
  const own = path.join(folder, 'orders');
  const ledger = path.join(own, readFileSync(path.join(own, 'batch'), 'utf8'), 'payments');
  return readdirSync(ledger)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(path.join(ledger, name), 'utf8')) as Capture)
    .filter(({ kind }) => kind === 'capture');
}

function expectNoDoubleCharge(folder: string): void {
  const captures = capturesIn(folder);
  expect(new Set(captures.map(({ order_id }) => order_id)).size).toBe(captures.length);
  expect(captures.length).toBe(58);
  expect(captures.reduce((sum, { amount_cents }) => sum + amount_cents, 0)).toBe(820_970);
}

describe('the orders demo', () => {
  test('ends with the same totals if it is run again with its web page, and finds all existing orders', async () => {
    const folder = folderOf();
    const first = await runDemo(folder);
    expect(first.stderr).toBe('');
    expect(first.code).toBe(0);
    await expect(totalsIn(first.stdout)).toMatchFileSnapshot(TOTALS);
    expect(first.stdout).not.toContain('already existed\n');

    const demo = startProgram(DEMO, { args: ['--folder', folder, '--web'] });
    const shown = await demo.waitForOutput('Ctrl-C ends it');
    const url = /http:\/\/\S+(?=\/tasks;)/.exec(shown)![0];
    expect((await fetch(`${url}/v1/tasks?limit=1`)).status).toBe(200);
    demo.kill('SIGINT');
    const second = await demo.ended;
    expect(second.code).toBe(0);
    await expect(fetch(url), 'the server has ended').rejects.toThrow();
    expect(second.stdout).toContain('  72 of them already existed\n');
    expect(second.stdout).toMatch(/steps done by this run +0 /);
    expect(totalsIn(second.stdout)).toBe(totalsIn(first.stdout));
    expectNoDoubleCharge(folder);
  });

  test('ends with the same totals after kill -9 at any time, and charges no customer twice', async () => {
    const folder = folderOf();
    let killed = 0;
    for (const group of [false, true, false]) {
      const demo = startDemo(folder);
      await demo.waitForOutput('process ');
      const moment = sleep(Math.round(100 + Math.random() * 1900)); // the test needs a random moment
      // The third process may end on its own, because no orders remain.
      if (await Promise.race([demo.ended, moment])) break;
      demo.kill('SIGKILL', { group });
      expect((await demo.ended).signal).toBe('SIGKILL');
      killed++;
    }
    expect(killed).toBeGreaterThan(0);
    const last = await runDemo(folder);
    expect(last.stderr).toBe('');
    expect(last.code).toBe(0);
    await expect(totalsIn(last.stdout)).toMatchFileSnapshot(TOTALS);
    expectNoDoubleCharge(folder);
  });

  test('stops on Ctrl-C, and two concurrent runs continue where it stopped', async () => {
    const folder = folderOf();
    const demo = startDemo(folder);
    await demo.waitForOutput('in progress');
    demo.kill('SIGINT');
    const stopped = await demo.ended;
    expect(stopped.code).toBe(130);
    expect(stopped.stdout).toContain('the next npm run demo continues where this one stopped');
    expect(stopped.stderr).toBe('');

    for (const { code, stderr, stdout } of await Promise.all([runDemo(folder), runDemo(folder)])) {
      expect(stderr).toBe('');
      expect(code).toBe(0);
      await expect(totalsIn(stdout)).toMatchFileSnapshot(TOTALS);
      expect(stdout).not.toContain('taken over from a killed process');
    }
    expectNoDoubleCharge(folder);
  });

  test('reports in one line why it cannot start', async () => {
    const file = path.join(temporaryFolder(), 'a-file');
    writeFileSync(file, '');
    const noFolder = await runDemo(path.join(file, '.tasker'));
    expect(noFolder).toMatchObject({ code: 1, stdout: '' });
    expect(noFolder.stderr).toMatch(/^orders demo: .*a-file.*; choose another folder with --folder\n$/);

    const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
    const noDatabase = await runProgram(DEMO, { args: ['--folder', folderOf()], env });
    expect(noDatabase).toMatchObject({ code: 1, stdout: '' });
    expect(noDatabase.stderr).toMatch(/^orders demo: .*127\.0\.0\.1:1.*\n$/);
  });

  test('has enough stock that the outcome of an order does not depend on the orders before it', () => {
    const rows = (name: string) => readFileSync(`examples/orders/${name}`, 'utf8').trimEnd().split('\n').slice(1);
    const stock = new Map(rows('catalogue.csv').map((row) => [row.split(',')[0]!, Number(row.split(',')[3])]));
    const orders = rows('orders.csv').map((row) =>
      row
        .split(',')[7]!
        .split(' ')
        .map((item) => ({ sku: item.split('*')[0]!, quantity: Number(item.split('*')[1]) })),
    );
    expect(orders.length).toBeGreaterThanOrEqual(60);
    const possible = orders.filter((lines) => lines.every(({ sku, quantity }) => quantity <= stock.get(sku)!));
    for (const [sku, count] of stock) {
      const wanted = possible.flat().filter((line) => line.sku === sku);
      expect(
        wanted.reduce((sum, { quantity }) => sum + quantity, 0),
        sku,
      ).toBeLessThanOrEqual(count);
    }
  });
});
