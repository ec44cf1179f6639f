import { readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { PAIR, PAIR_HANDLERS, projectOnDatabase } from './installation.ts';
import type { RunningProcess } from './running.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR, 'handlers/pair.js': PAIR_HANDLERS });

describe('without a worker', () => {
  it('task create registers the template of the project and prints only the id', async () => {
    const { code, stdout, stderr } = await on.project.run(['task', 'create', 'pair', '-i', '{"lucky":true}']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[0-9a-f-]{36}\n$/);
    expect(stderr).toContain('no running worker serves namespace demo; start one: `npx tasker worker`');
  });

  it('task create reads the context from a file or standard input', async () => {
    await on.project.write('input.json', '{"lucky":false}');
    const fromFile = await on.project.create('demo/pair@1.0.0', '-i', '@input.json');
    const { stdout } = await on.project.run(
      ['task', 'create', '--name', 'pair', '-n', 'demo', '-v', '1.0.0', '-i', '-'],
      {
        input: '{"lucky":true}',
      },
    );
    expect(await on.project.json(['task', 'get', fromFile])).toMatchObject({
      context: { lucky: false },
      status: 'pending',
    });
    expect(await on.project.json(['task', 'get', stdout.trim()])).toMatchObject({ context: { lucky: true } });
  });

  it('task create reads the context from --context as from --input, and rejects both together', async () => {
    await on.project.write('context.json', '{"lucky":false}');
    const given = await on.project.create('pair', '--context', '{"lucky":true}');
    const fromFile = await on.project.create('pair', '--context', '@context.json');
    const contexts = await Promise.all([given, fromFile].map((id) => on.project.json(['task', 'get', id])));
    expect(contexts).toMatchObject([{ context: { lucky: true } }, { context: { lucky: false } }]);
    const refused = (...args: string[]) => on.project.run(['task', 'create', 'pair', ...args]);
    expect(await refused('--context', '[1]')).toMatchObject({
      code: 2,
      stderr: `error: --context must be a JSON object, such as '{"name":"Ada"}'\n`,
    });
    expect(await refused('--context', '{}', '-i', '{}')).toMatchObject({
      code: 2,
      stderr: 'error: --context and --input are the same; pass one of them\n',
    });
  });

  it('task why reports that no worker is running', async () => {
    const { stdout } = await on.project.run(['task', 'why', await on.project.create('pair')]);
    expect(stdout).toContain('no running worker serves namespace');
    expect(stdout).toMatch(/second +waits for first/);
  });

  it('task create rejects a context that does not match the schema, invalid JSON, and a misspelt template', async () => {
    const wrong = await on.project.run(['task', 'create', 'pair', '-i', '{"lucky":"yes"}']);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('/lucky must be boolean')]);
    const broken = await on.project.run(['task', 'create', 'pair', '-i', '{lucky}']);
    expect([broken.code, broken.stderr]).toEqual([
      2,
      expect.stringMatching(/^error: --input: the value is not valid JSON/),
    ]);
    const unknown = await on.project.run(['task', 'create', 'demo/pare']);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('demo/pair@1.0.0')]);
    expect(unknown.stdout).toBe('');
  });

  it('task create suggests a template of the project that is not registered yet', async () => {
    const fresh = await on.place.project('fresh', { DATABASE_URL: on.database.url });
    await fresh.write('templates/lonely.yaml', PAIR.replace('name: pair', 'name: lonely'));
    const { code, stdout, stderr } = await fresh.run(['task', 'create', 'lonly']);
    expect([code, stdout, stderr]).toEqual([
      1,
      '',
      'error: no template lonly is registered or in the folders; did you mean demo/lonely@1.0.0?\n',
    ]);
  });

  it('task create prints the warnings about the file of a template that it registers', async () => {
    const own = await freshDatabase();
    onTestFinished(() => own.drop());
    const fresh = await on.place.project('misspelt', { DATABASE_URL: own.url });
    const misspelt = PAIR.replace('name: pair', 'name: misspelt').replace('dependencies', 'note: 1, dependencies');
    await fresh.write('templates/misspelt.yaml', misspelt);
    await fresh.write('templates/other.yaml', PAIR.replace('name: pair', 'name: other').replace('handler', 'hander'));
    const { code, stdout, stderr } = await fresh.run(['task', 'create', 'misspelt']);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^[0-9a-f-]{36}\n$/)]);
    expect(stderr).toMatch(
      /^\S*templates\/misspelt\.yaml:8:38: warning: unknown key `note` in step `second`; it is ignored$/m,
    );
    expect(stderr).not.toContain('other.yaml');
    const wrong = await fresh.run(['task', 'create', 'other']);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(
      /^\S*templates\/other\.yaml:\d+:\d+: error: unknown key `hander` in step `first`; did you mean `handler`\?$/m,
    );
  });

  it('task create reports the first task with the same key, and prints its id with --return-existing', async () => {
    const first = await on.project.create('pair', '-k', 'order-7');
    const again = await on.project.run(['task', 'create', 'pair', '-k', 'order-7']);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining(`${first}; pass --return-existing`)]);
    expect(await on.project.create('pair', '-k', 'order-7', '--return-existing')).toBe(first);
  });

  it('task cancel cancels a task once, and then reports that it has ended', async () => {
    const id = await on.project.create('pair');
    expect(await on.project.json(['task', 'cancel', id, '-r', 'a test'])).toMatchObject({ cancelled: true });
    const again = await on.project.run(['task', 'cancel', id]);
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('it is cancelled')]);
    expect(await on.project.json(['step', 'history', id])).toMatchObject([
      { what: 'cancel', why: 'a test', who: userInfo().username },
    ]);
    expect((await on.project.run(['task', 'watch', id])).code).toBe(1);
  });

  it('task list shows pages, newest first, each with the filter, the total and the command for the next page', async () => {
    interface Listed {
      tasks: { task_uuid: string }[];
      total: number;
      total_is_exact: boolean;
      next_cursor: string | null;
      previous_cursor: string | null;
      timed_out: boolean;
      lag_ms: number;
    }
    const ids = [await on.project.create('pair', '-t', 'paged it'), await on.project.create('pair', '-t', 'paged it')];
    const list = (...more: string[]) =>
      on.project.json<Listed>(['task', 'list', '--tag', 'paged it', '-l', '1', ...more]);
    await expect.poll(async () => (await list()).total).toBe(2);
    const first = await list();
    expect(first).toMatchObject({ total: 2, previous_cursor: null, timed_out: false });
    expect(first.tasks).toMatchObject([{ task_uuid: ids[1], tags: ['paged it'], first_error: null }]);
    const second = await list('--cursor', first.next_cursor!);
    expect(second).toMatchObject({ tasks: [{ task_uuid: ids[0] }], next_cursor: null });
    expect((await list('--cursor', second.previous_cursor!)).tasks).toMatchObject([{ task_uuid: ids[1] }]);
    expect((await list('--before', ids[1]!)).tasks).toMatchObject([{ task_uuid: ids[0] }]);
    expect((await list('--order', 'asc')).tasks).toMatchObject([{ task_uuid: ids[0] }]);

    const counted = (...more: string[]) => on.project.run(['task', 'list', '--tag', 'paged it', ...more]);
    const shown = await counted('-l', '1', '--created-after', '2h');
    expect(shown.stdout).toContain('demo/pair@1.0.0');
    expect(shown.stderr).toContain('1 of 2 tasks: tag paged it, created in the last 2h\n');
    const next = /next page: npx tasker (task list --tag 'paged it' --created-after 2h --limit 1 --cursor \S+)\n/.exec(
      shown.stderr,
    );
    expect(next?.[1]).toBeDefined();
    const last = await counted('-l', '9', '--cursor', first.next_cursor!);
    expect([last.code, last.stderr]).toEqual([0, '1 of 2 tasks: tag paged it\n']);
  });

  it('task list and step list name an invalid condition', async () => {
    const refused = async (...words: string[]) => {
      const { code, stderr } = await on.project.run(words);
      return `${code} ${stderr}`;
    };
    expect(await refused('task', 'list', '--created-after', 'last week')).toMatch(/^2 .*must be a time/s);
    expect(await refused('task', 'list', '--context', '[1]')).toMatch(/^2 .*it must be a JSON object/s);
    expect(await refused('task', 'list', '--step-state', 'runing')).toMatch(/^2 .*runing is not a step state/s);
    expect(await refused('task', 'list', '--cursor', 'abc')).toMatch(/^2 .*the cursor is not from a page/s);
    expect(await refused('task', 'list', '--open', '--ended')).toMatch(/^2 .*open and ended exclude each other/s);
    expect(await refused('step', 'list', '--step-state', 'complete')).toMatch(/^2 .*cannot be listed across tasks/s);
    expect(await refused('step', 'list', 'x', '--open')).toMatch(/^2 .*but not both/s);
  });

  it('step list finds steps of all tasks', async () => {
    const id = await on.project.create('pair', '-t', 'of all');
    const find = () =>
      on.project.json<{ steps: object[]; total: number }>([
        'step',
        'list',
        '--tag',
        'of all',
        '--step-state',
        'enqueued',
      ]);
    await expect.poll(find).toMatchObject({ total: 1, total_is_exact: true, next_cursor: null });
    expect((await find()).steps).toMatchObject([
      { task_uuid: id, name: 'first', current_state: 'enqueued', worker: null },
    ]);
    const shown = await on.project.run(['step', 'list', '--tag', 'of all']);
    expect(shown.stdout).toMatch(/TASK +STEP +STATE +SINCE +HANDLER +ATTEMPTS\n/);
    expect(shown.stderr).toBe('1 step: tag of all\n');
    const none = await on.project.run(['step', 'list', '--tag', 'of all', '--error-type', 'timeout']);
    expect(none.stderr).toBe('no step matches: tag of all, error type timeout\n');
  });

  it('task watch explains a stalled task on standard error once, after two seconds', async () => {
    const reason = '… no progress: first is ready; no running worker serves namespace demo: start one\n';
    const lines = await on.project.run(['task', 'create', 'pair', '--wait', '--timeout', '5.5']);
    expect(lines.stderr.split(reason)).toHaveLength(2);
    expect(lines.stdout).toMatch(/^[0-9a-f-]{36}\n$/);
    const uuid = lines.stdout.trim();
    const watched = await on.project.run(['task', 'watch', uuid, '--json', '--timeout', '3']);
    expect(watched.stderr.split(reason)).toHaveLength(2);
    expect(
      watched.stdout
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { task_uuid: string }).task_uuid),
    ).toEqual([uuid]);
    const short = await on.project.run(['task', 'watch', uuid, '--timeout', '1']);
    expect(short.stderr).not.toContain('no progress');
  });

  it('task list reports that no task matches the filters, and suggests a state for an unknown state', async () => {
    const filtered = await on.project.run(['task', 'list', '-s', 'error', '-n', 'demo']);
    expect([filtered.code, filtered.stderr]).toEqual([0, 'no task matches: namespace demo, status error\n']);
    const failed = await on.project.run(['task', 'list', '-s', 'failed']);
    expect([failed.code, failed.stderr]).toEqual([
      2,
      expect.stringContaining(
        'failed is not a task state; did you mean blocked_by_failures (a step failed, an operator must act) or error (the task ended)?',
      ),
    ]);
    expect((await on.project.run(['task', 'list', '-s', 'complet'])).stderr).toContain('did you mean complete?');
    expect((await on.project.run(['task', 'list', '-s', 'xyz'])).stderr).toContain(
      'the states are pending, steps_in_process',
    );
  });

  it('task watch --timeout stops waiting and leaves the task unchanged', async () => {
    const ended = await on.project.run(['task', 'create', 'pair', '--wait', '--timeout', '0.2']);
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining('did not end within 0.2 s')]);
    expect(ended.stdout).toMatch(/^[0-9a-f-]{36}\n$/);
  });
});

describe('with a worker', () => {
  let worker: RunningProcess;

  beforeAll(async () => {
    worker = on.project.start(['worker', '--name', 'bench-1']);
    await worker.until('worker is ready');
  });

  afterAll(async () => {
    worker.process.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
  });

  it('task watch prints a line for each change until the task ends, and exits 0', async () => {
    const { code, stdout } = await on.project.run([
      'task',
      'watch',
      await on.project.create('pair', '-i', '{"lucky":true}'),
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/second complete\n.*task complete, 2 of 2 steps, after/s);
  });

  it('task create --wait exits 2 if the task is blocked, and the task continues after an operator acts', async () => {
    const acts = [
      ['step', 'complete', '--result', '{"made":3}'],
      ['step', 'resolve', '-r', 'done by hand'],
    ];
    for (const act of acts) {
      const blocked = await on.project.run(['task', 'create', 'pair', '--wait']);
      const id = blocked.stdout.trim();
      expect([blocked.code, blocked.stderr]).toEqual([2, expect.stringContaining('no luck today')]);
      const acted = await on.project.run([...act.slice(0, 2), id, 'second', ...act.slice(2)]);
      expect(acted.stderr).toContain('the task is complete');
      expect((await on.project.run(['task', 'watch', id])).code).toBe(0);
    }
  });

  it('step reset lets a failed step run again, and the history shows the attempts and the reset', async () => {
    const id = (await on.project.run(['task', 'create', 'pair', '--wait'])).stdout.trim();
    expect((await on.project.run(['step', 'reset', id, 'second', '-b', 'ada', '-r', 'once more'])).code).toBe(0);
    expect((await on.project.run(['task', 'watch', id])).code).toBe(2);
    const history = await on.project.json<{ what: string; who: string }[]>(['step', 'history', id, 'second']);
    expect(history.map(({ what }) => what)).toEqual(['failed', 'reset', 'failed']);
    expect(history[1]).toMatchObject({ who: 'ada', why: 'once more' });
    const early = await on.project.run(['step', 'reset', id, 'first']);
    expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('first')]);
  });

  it('step logs shows the log lines of a failed step, or explains why there are none', async () => {
    const id = (await on.project.run(['task', 'create', 'pair', '--wait'])).stdout.trim();
    const show = (...more: string[]) => on.project.run(['step', 'logs', id, ...more]);
    await expect.poll(async () => (await show('second')).stdout).toContain('attempt 1');
    expect((await show('second')).stdout).toMatch(/^attempt 1\n\S+ warn {2}no luck lucky=false\n$/);
    expect(JSON.parse((await show('second', '--json')).stdout)).toMatchObject([
      { attempt: 1, dropped: 0, lines: [{ level: 'warn', message: 'no luck', fields: { lucky: false } }] },
    ]);
    const [none, other] = [await show('first'), await show('second', '--attempt', '9')];
    expect([none.code, none.stderr]).toEqual([0, expect.stringContaining('no log lines were kept of step first')]);
    expect([other.code, other.stderr]).toEqual([0, expect.stringContaining('attempt 1 has lines')]);
  });

  it('step get shows the result or the error of a step', async () => {
    const id = (await on.project.run(['task', 'create', 'pair', '--wait'])).stdout.trim();
    expect((await on.project.run(['step', 'get', id, 'first'])).stdout).toContain('"made": 1');
    const failed = await on.project.run(['step', 'get', id, 'second']);
    expect(failed.stdout).toContain('no luck today');
    expect(failed.stdout).toContain('bench-1');
    expect((await on.project.run(['task', 'steps', id])).stdout).toMatch(/second +error +second +1\/3/);
    const unknown = await on.project.run(['step', 'get', id, 'third']);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('first, second')]);
  });

  it('--wait --json prints one document, and watch --json prints one per line', async () => {
    const { code, stdout } = await on.project.run([
      'task',
      'create',
      'pair',
      '-i',
      '{"lucky":true}',
      '--wait',
      '--json',
    ]);
    const task = JSON.parse(stdout) as { task_uuid: string; steps: unknown[] };
    expect([code, task]).toMatchObject([0, { status: 'complete', steps: [{ name: 'first' }, { name: 'second' }] }]);
    const watched = await on.project.run(['task', 'watch', task.task_uuid, '--json']);
    expect(
      watched.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([task]);
  });
});

describe('templates', () => {
  it('template validate prints nothing to standard output if all templates are valid', async () => {
    const { code, stdout } = await on.project.run(['template', 'validate']);
    expect([code, stdout]).toEqual([0, '']);
  });

  it("template validate warns about handlers that the project's folder lacks, and names the reason if it cannot check", async () => {
    const validate = (...args: string[]) => on.project.run(['template', 'validate', ...args]);
    expect((await validate()).stderr).toMatch(/^\d+ files?: no problems$/m);
    await on.project.write('default.yaml', PAIR.replace('handler: second', 'handler: secnd'));
    const found = await validate('default.yaml');
    expect([found.code, found.stdout]).toEqual([
      0,
      expect.stringMatching(/^default\.yaml:8:\d+: warning: step `second`: .*secnd.*did you mean second\?$/m),
    ]);
    expect((await validate('default.yaml', '--strict')).code).toBe(1);
    await on.project.write('elsewhere/pair.yaml', PAIR);
    const elsewhere = await on.project.run(['template', 'validate', 'pair.yaml'], { folder: 'elsewhere' });
    expect(elsewhere).toMatchObject({
      code: 0,
      stderr: '1 file: no problems; handlers not checked (handlers does not exist; add --handlers FOLDERS)\n',
    });
    await on.project.write('elsewhere/handlers/broken.js', "import 'a-package-that-is-not-installed';\n");
    const broken = await on.project.run(['template', 'validate', 'pair.yaml'], { folder: 'elsewhere' });
    expect([broken.code, broken.stderr]).toEqual([0, expect.stringMatching(/handlers not checked \(.*broken\.js/)]);
  });

  it('template validate reports every problem with file, line and column, and exits 1', async () => {
    await on.project.write(
      'broken.yaml',
      PAIR.replace('[first]', '[frist]').replace('identity_strategy', 'identity_stratgy'),
    );
    const { code, stdout } = await on.project.run(['template', 'validate', 'broken.yaml']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^broken\.yaml:4:\d+: error: .*identity_strategy/m);
    expect(stdout).toMatch(/^broken\.yaml:8:\d+: error: .*did you mean `first`\?$/m);
    const { problems } = JSON.parse(
      (await on.project.run(['template', 'validate', 'broken.yaml', '--json'])).stdout,
    ) as {
      problems: unknown[];
    };
    expect(problems).toHaveLength(2);
  });

  it('template validate warns about steps of the type task that do not match the template of their child', async () => {
    const step = (name: string, wanted: string, context: string) =>
      `  - { name: ${name}, type: task, template: ${wanted}, context: { ${context} } }\n`;
    await on.project.write(
      'family/order.yaml',
      `name: order\nnamespace: shop\nversion: "1.0.0"\nsteps:\n${[
        step('fine', 'invoice', 'cents: context.cents'),
        step('typo', 'invocie', 'cents: context.cents'),
        step('foreign', 'warehouse/pick', 'cents: context.cents'),
        step('keys', 'shop/invoice', 'cent: context.cents'),
        step('old', 'invoice@1.0.0', 'anything: context.cents'),
        step('older', 'invoice@0.9.0', 'anything: context.cents'),
      ].join('')}`,
    );
    const invoice = (version: string, schema: string) =>
      `name: invoice\nnamespace: shop\nversion: "${version}"\n${schema}steps: [{ name: first, handler: first }]\n`;
    await on.project.write('family/invoice-1.yaml', invoice('1.0.0', ''));
    await on.project.write(
      'family/invoice-2.yaml',
      invoice(
        '2.0.0',
        'input_schema: { type: object, required: [cents], properties: { cents: { type: integer } }, additionalProperties: false }\n',
      ),
    );
    const { code, stdout } = await on.project.run(['template', 'validate', 'family']);
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toEqual([
      expect.stringMatching(
        /order\.yaml:6:\d+: warning: step `typo`: template shop\/invocie is not in these files; did you mean shop\/invoice\?$/,
      ),
      expect.stringMatching(
        /order\.yaml:8:\d+: warning: step `keys`: `context` lacks `cents`, which the `input_schema` of shop\/invoice@2\.0\.0 requires$/,
      ),
      expect.stringMatching(
        /order\.yaml:8:\d+: warning: step `keys`: `context` has `cent`, which the `input_schema` of shop\/invoice@2\.0\.0 does not allow; did you mean `cents`\?$/,
      ),
    ]);
    expect((await on.project.run(['template', 'validate', 'family', '--strict'])).code).toBe(1);
  });

  it('template validate --handlers reports steps without a handler, with their location and similar names, and exits 1', async () => {
    const fine = await on.project.run(['template', 'validate', '--handlers', 'handlers']);
    expect([fine.code, fine.stdout, fine.stderr]).toEqual([0, '', expect.stringMatching(/no problems$/m)]);
    const wanting = PAIR.replace('handler: second', 'handler: { callable: secnd }').replace(
      'handler: first',
      'handler: { callable: first, method: refund }',
    );
    await on.project.write('wanting.yaml', wanting);
    await on.project.write(
      'lacking/handlers.js',
      `import { defineHandler, StepHandler } from 'tasker-core';
export class First extends StepHandler {
  static handlerName = 'first';
  call() {
    return this.success({});
  }
}
export const second = defineHandler('second', {}, () => ({}));
`,
    );
    // The file is valid on its own. Only the handlers reveal the problems.
    expect((await on.project.run(['template', 'validate', 'wanting.yaml'])).code).toBe(0);
    const { code, stdout } = await on.project.run(['template', 'validate', 'wanting.yaml', '--handlers', 'lacking']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^wanting\.yaml:7:29: error: step `first`: .*refund/m);
    expect(stdout).toMatch(/^wanting\.yaml:8:30: error: step `second`: .*secnd.*did you mean second/m);
    const { problems } = JSON.parse(
      (await on.project.run(['template', 'validate', 'wanting.yaml', '--handlers', 'lacking', '--json'])).stdout,
    ) as { problems: unknown[] };
    expect(problems).toMatchObject([
      { severity: 'error', code: 'handler_invalid', path: 'steps[0].handler', line: 7 },
      { severity: 'error', code: 'handler_not_found', path: 'steps[1].handler', line: 8 },
    ]);
    await on.project.write('strange.yaml', PAIR.replace('handler: second', 'handler: ship'));
    const strange = await on.project.run(['template', 'validate', 'strange.yaml', '--handlers', 'handlers']);
    expect(strange.stdout).toMatch(/no handler named ship; .*correct the name, or export the handler from handlers$/m);
    const nowhere = await on.project.run(['--handlers', 'no/such/folder', 'template', 'validate']);
    expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringMatching(/handlers not found: .*no.such/)]);
  });

  it('template validate --handlers reports steps in handlers that the template lacks, as a warning if another template has them', async () => {
    await on.project.write(
      'named/handlers.js',
      `import { defineHandler } from 'tasker-core';
export const first = defineHandler('first', {}, () => ({}));
export const second = defineHandler('second', { depends: { a: 'frst' } }, () => ({}));
`,
    );
    const renamed = PAIR.replace('name: first', 'name: frst').replace('[first]', '[frst]').replace('pair', 'renamed');
    await on.project.write('named/pair.yaml', PAIR);
    await on.project.write('named/renamed.yaml', renamed);
    const validate = ['template', 'validate', '--handlers', 'named'];
    const message =
      'handler second: depends on step frst, which template demo/pair@1.0.0 does not have; did you mean first?';
    expect(await on.project.run([...validate, 'named/pair.yaml'])).toMatchObject({
      code: 1,
      stdout: `named/pair.yaml:8:30: error: ${message}\n`,
    });
    expect(await on.project.run([...validate, 'named'])).toMatchObject({
      code: 0,
      stdout: `named/pair.yaml:8:30: warning: ${message}\n`,
    });
    expect((await on.project.run([...validate, 'named/renamed.yaml'])).stdout).toBe('');
  });

  it('template validate --handlers reports misspelt inputs, routes and worker templates as errors', async () => {
    await on.project.write(
      'misspelt/handlers.js',
      `import { Decision, defineBatchAnalyzer, defineBatchWorker, defineConvergence, defineDecisionHandler, defineHandler } from 'tasker-core';
export const load = defineBatchAnalyzer('load', { inputs: { path: 'pth' } }, () => ({ totalItems: 0, batchSize: 1 }));
export const price = defineBatchWorker('price', {}, () => ({}));
export const sum = defineConvergence('sum', { workerTemplate: 'prise' }, () => ({}));
export const route = defineDecisionHandler('route', {}, () => Decision.route(['premum']));
export const premium = defineHandler('premium', {}, () => ({}));
`,
    );
    await on.project.write(
      'misspelt/rows.yaml',
      `name: rows
namespace: demo
version: "1.0.0"
input_schema: { properties: { path: {} }, additionalProperties: false }
steps:
  - { name: load, handler: load, type: batchable }
  - { name: price, handler: price, type: batch_worker, depends_on: [load], batch_config: { batch_size: 1, parallelism: 1, cursor_field: id, worker_template: price, failure_strategy: isolate } }
  - { name: sum, handler: sum, type: deferred_convergence, depends_on: [price] }
  - { name: route, handler: route, type: decision, depends_on: [sum] }
  - { name: premium, handler: premium, depends_on: [route] }
`,
    );
    const { code, stdout } = await on.project.run(['template', 'validate', '--handlers', 'misspelt', 'misspelt']);
    const place = 'template demo/rows@1.0.0';
    expect([
      code,
      ...stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.replace(/^.*?: /, '')),
    ]).toEqual([
      1,
      `error: handler load: input pth is not allowed by the input_schema of ${place}; did you mean path?`,
      `error: handler sum: workerTemplate names step prise, which ${place} does not have; did you mean price?`,
      `error: handler route: routes to step premum, which ${place} does not have; did you mean premium?`,
    ]);
    // A handler that another template uses rightly only causes a warning.
    await on.project.write(
      'misspelt/other.yaml',
      `name: other
namespace: demo
version: "1.0.0"
steps:
  - { name: load, handler: load, type: batchable }
  - { name: prise, handler: price, type: batch_worker, depends_on: [load], batch_config: { batch_size: 1, parallelism: 1, cursor_field: id, worker_template: prise, failure_strategy: isolate } }
  - { name: sum, handler: sum, type: deferred_convergence, depends_on: [prise] }
`,
    );
    const both = await on.project.run(['template', 'validate', '--handlers', 'misspelt', 'misspelt']);
    expect(both.stdout).toContain(
      `warning: handler sum: workerTemplate names step prise, which ${place} does not have`,
    );
    expect(both.stdout).not.toContain('error: handler sum');
  });

  it('template validate --handlers reports publishers that are not exported, with their location and similar names', async () => {
    await on.project.write(
      'shop/events.ts',
      `import { BasePublisher, defineHandler } from 'tasker-core';
export const first = defineHandler('first', {}, () => ({}));
export class Payments extends BasePublisher {
  static override publisherName = 'payment_events';
}
`,
    );
    const publishing = (name: string, event: string) =>
      `{ name: ${event}, description: it happened, schema: {}, publisher: ${name} }`;
    await on.project.write(
      'publishing.yaml',
      `name: publishing
namespace: demo
version: "1.0.0"
steps:
  - name: first
    handler: first
    publishes_events:
      - ${publishing('payment_events', 'payment.made')}
      - ${publishing('default', 'payment.seen')}
      - ${publishing('paymnt_events', 'payment.lost')}
`,
    );
    expect((await on.project.run(['template', 'validate', 'publishing.yaml'])).code).toBe(0);
    const validate = ['template', 'validate', 'publishing.yaml', '--handlers', 'shop'];
    const { code, stdout } = await on.project.run(validate);
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(
        /^publishing\.yaml:10:\d+: error: step `first`: event payment\.lost: publisher paymnt_events not found; did you mean payment_events\?$/m,
      ),
    ]);
    const { problems } = JSON.parse((await on.project.run([...validate, '--json'])).stdout) as { problems: unknown[] };
    expect(problems).toMatchObject([
      { severity: 'error', code: 'publisher_not_found', path: 'steps[0].publishes_events[2].publisher', line: 10 },
    ]);
  });

  it('template list, show and graph print the templates of the project', async () => {
    expect(await on.project.json(['template', 'list'])).toMatchObject([
      { name: 'pair', in_project: true, registered: true },
    ]);
    expect((await on.project.run(['template', 'show', 'pair'])).stdout).toMatch(/second +second +first +standard/);
    expect((await on.project.run(['template', 'graph', 'templates/pair.yaml'])).stdout).toBe('first\nsecond\n');
    expect((await on.project.run(['template', 'graph', 'demo/pair', '--mermaid'])).stdout).toContain('s0 --> s1');
    const unknown = await on.project.run(['template', 'show', 'demo/pare']);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('demo/pair@1.0.0')]);
  });

  it('template graph prints the conditions of steps', async () => {
    await on.project.write(
      'routed.yaml',
      `${PAIR}  - { name: undo, handler: first, depends_on: [first], run_if: failed }
  - { name: report, handler: first, depends_on: [second, undo], run_if: ended, when: context.lucky }
`,
    );
    expect((await on.project.run(['template', 'graph', 'routed.yaml'])).stdout).toBe(
      'first\n├─ second\n└─ undo (run_if failed)\n   report (run_if ended, when context.lucky) (also after second)\n',
    );
    expect(await on.project.json(['template', 'graph', 'routed.yaml'])).toMatchObject({
      nodes: [
        { name: 'first', run_if: null, when: null },
        { name: 'second', run_if: null, when: null },
        { name: 'undo', run_if: 'failed', when: null },
        { name: 'report', run_if: 'ended', when: 'context.lucky' },
      ],
    });
  });

  it('template show prints every field that a template has', async () => {
    await on.project.write(
      'full.yaml',
      PAIR.replace(
        'steps:',
        'default_context: { lucky: true }\nlifecycle: { max_duration_minutes: 90 }\nsteps:',
      ).replace(
        'handler: first',
        'handler: { callable: first, method: refund }, description: gives it back, retry: { backoff_base_ms: 2000 }',
      ),
    );
    const { stdout } = await on.project.run(['template', 'show', 'full.yaml']);
    expect(stdout).toMatch(/first +first +standard +3 +exponential, 2\.0 s to 30\.0 s/);
    for (const field of ['lucky: true', 'max_duration_minutes: 90', 'method: refund', 'description: gives it back'])
      expect(stdout).toContain(field);
    expect(stdout.match(/name: second/g)).toBeNull();
  });

  it('template show finds a template that only the database has', async () => {
    const other = await on.place.project('elsewhere', { DATABASE_URL: on.database.url });
    expect(await other.json(['template', 'show', 'demo/pair'])).toMatchObject({ name: 'pair', version: '1.0.0' });
    await writeFile(
      path.join(other.folder, 'pair.yaml'),
      await readFile(path.join(on.project.folder, 'templates/pair.yaml')),
    );
    expect(await other.json(['template', 'show', 'pair.yaml'])).toMatchObject({ name: 'pair' });
  });
});
