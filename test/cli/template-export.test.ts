import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createTasker } from '../../src/app/create-tasker.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { sharedDatabase } from '../support/shared-database.ts';
import { installation, type Project } from './installation.ts';

const shared = sharedDatabase();
let place: Awaited<ReturnType<typeof installation>>;
let project: Project;

const head = "import { workflow } from 'tasker-core';\n";
const ORDERS = `${head}
export const fulfil = workflow('shop/fulfil@1.0.0')
  .step('price', { retry: { backoff_base_ms: 5 }, run: () => ({ cents: 7 }) })
  .step('ship', { after: ['price'], when: 'steps.price.cents > 5', run: () => ({ no: 'T-1' }) });
export const refund = workflow('shop/refund@2.0.0').step('pay', { run: () => ({}) });
`;

beforeAll(async () => {
  place = await installation();
  project = await place.project('exporting');
  await project.write('package.json', '{"type":"module"}');
  await project.write('handlers/orders.ts', ORDERS);
});
afterAll(() => place?.remove());

const template = (...args: string[]) => project.run(['template', ...args], { endsEarly: true });

describe('tasker template export', () => {
  it('writes the YAML of a workflow, with its warnings beside it, and checks whether a file is up to date', async () => {
    const printed = await template('export', 'handlers/orders.ts', '--name', 'fulfil');
    expect(printed.code).toBe(0);
    expect(printed.stderr).toContain('shop/fulfil@1.0.0: steps[0].retry.backoff_base_ms: warning: backoff_base_ms 5');
    expect(parse(printed.stdout)).toMatchObject({
      name: 'fulfil',
      namespace: 'shop',
      version: '1.0.0',
      steps: [
        { name: 'price', handler: { callable: 'shop.fulfil.price' } },
        { name: 'ship', depends_on: ['price'], when: 'steps.price.cents > 5' },
      ],
    });
    const args = ['export', 'handlers/orders.ts', '--name', 'shop/fulfil@1.0.0', '--out', 'made/fulfil.yaml'];
    const written = await template(...args);
    expect([written.code, written.stderr]).toEqual([
      0,
      expect.stringContaining('wrote made/fulfil.yaml: shop/fulfil@1.0.0, 2 steps'),
    ]);
    expect(await readFile(path.join(project.folder, 'made/fulfil.yaml'), 'utf8')).toBe(printed.stdout);
    expect(await template(...args, '--check')).toMatchObject({ code: 0 });
    await project.write('made/fulfil.yaml', printed.stdout.replace('T-1', 'T-2').replace('> 5', '> 6'));
    expect(await template(...args, '--check')).toMatchObject({ code: 1 });
    expect(await template('validate', 'made/fulfil.yaml')).toMatchObject({ code: 0 });
    const { stdout } = await template('export', 'handlers/orders.ts', '--name', 'refund', '--json');
    expect(JSON.parse(stdout)).toEqual({ yaml: expect.stringContaining('name: refund'), problems: [] });
  });

  it('names the workflows of a file that has several, and what is wrong with a file that has none', async () => {
    await project.write('handlers/plain.ts', 'export const three = 3;\n');
    await project.write('handlers/broken.ts', `${head}export const a = workflow('shop/a@1.0.0'.step(;\n`);
    await project.write(
      'handlers/wrong.ts',
      `${head}export const a = workflow('shop/a@1.0.0').step('b', { after: ['c' as never], run: () => 1 });\n`,
    );
    const failing = async (...args: string[]) => {
      const { code, stdout, stderr } = await template('export', ...args);
      expect([code === 0, stdout]).toEqual([false, '']);
      return stderr;
    };
    expect(await failing('handlers/orders.ts')).toContain(
      'handlers/orders.ts exports 2 workflows: shop/fulfil@1.0.0, shop/refund@2.0.0; choose one with --name',
    );
    expect(await failing('handlers/orders.ts', '--name', 'shop/refnd')).toContain(
      'handlers/orders.ts: unknown workflow shop/refnd; the workflows are shop/fulfil@1.0.0, shop/refund@2.0.0',
    );
    expect(await failing('handlers/plain.ts')).toContain(
      "handlers/plain.ts exports no workflow; export what workflow('namespace/name@version').step(…) returns",
    );
    expect(await failing('handlers/nowhere.ts')).toMatch(/nowhere\.ts does not exist/);
    expect(await failing('handlers/broken.ts')).toMatch(/broken\.ts.*1:\d+|broken\.ts:2:\d+/s);
    expect(await failing('handlers/wrong.ts')).toContain('unknown step `c` in `after` of `b`');
    for (const file of ['plain', 'broken', 'wrong']) await project.write(`handlers/${file}.ts`, '');
  });

  it('the other template commands find workflows by their file or name, without a folder of templates', async () => {
    const valid = await template('validate');
    expect(valid).toMatchObject({
      code: 0,
      stderr: '2 workflows: 0 errors, 1 warning\n',
    });
    expect(valid.stdout).toContain('handlers: shop/fulfil@1.0.0: steps[0].retry.backoff_base_ms: warning: ');
    await project.write('handlers/more.ts', `${head}export const a = workflow('shop/a@1.0.0').step('b', {});\n`);
    const wrong = await template('validate', 'handlers/more.ts');
    expect(wrong).toMatchObject({ code: 1, stdout: expect.stringContaining('handlers/more.ts: shop/a@1.0.0: ') });
    await project.write('handlers/more.ts', '');
    expect((await template('list', '--json')).stdout).toContain('"name": "refund"');
    expect((await template('graph', 'shop/fulfil')).stdout).toContain('ship');
    expect((await template('show', 'handlers/orders.ts')).stderr).toContain('exports 2 workflows');
    const when = await template('eval', 'fulfil', '--step', 'ship', '--results', '{"price":{"cents":7}}');
    expect(when.stdout).toBe('when: true\n');
    const { stdout } = await project.run(['doctor', '--json'], { endsEarly: true });
    const { checks } = JSON.parse(stdout) as { checks: { name: string }[] };
    expect(checks.find(({ name }) => name === 'templates')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('shop/fulfil'),
    });
  });

  it('template validate and a worker warn about the workflow of a child task that no handler file exports', async () => {
    const parent = (child: string) => `${head}
${child} billing = workflow('shop/bill@1.0.0').step('number', { run: () => ({ no: 7 }) });
export const order = workflow('shop/order@1.0.0').step('bill', { template: billing });
`;
    const family = await place.project('family');
    await family.write('package.json', '{"type":"module"}');
    await family.write('handlers/order.ts', parent('const'));
    const warning =
      'shop/order@1.0.0: warning: its child task uses workflow shop/bill@1.0.0, which is not registered, because no handler file exports it; export it';
    const validate = () => family.run(['template', 'validate', '--strict'], { endsEarly: true });
    expect(await validate()).toMatchObject({ code: 1, stdout: `${warning}\n` });
    const { logger, lines } = collectingLogger();
    const handlers = path.join(family.folder, 'handlers');
    const tasker = await createTasker({ databaseUrl: shared.url, handlers, logger });
    await tasker.stop({ drainTimeoutMs: 100 });
    expect(lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toContain(warning);
    await family.write('handlers/order.ts', parent('export const'));
    expect(await validate()).toMatchObject({ code: 0, stdout: '' });
  });
});
