import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createApiKey } from '../../src/app/credentials/api-keys.ts';
import { main } from '../../src/cli/main.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { LOCAL_SECURITY } from '../../src/rest/auth/settings.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { type Listening, listen } from '../../src/server/listen.ts';
import { mustParseTemplate } from '../../src/template/parse-template.ts';
import { STEP_TYPES } from '../../src/template/task-template.ts';
import { type ActsBench, actsBench } from '../support/rest/acts-bench.ts';
import { template, until } from '../support/setup.ts';
import { installation, PAIR } from './installation.ts';

// biome-ignore lint/suspicious/noExplicitAny: the results of tools have no types.
type Json = Record<string, any>;
const TASKER = path.resolve('bin/tasker.js');
const NEVER = '019b0000-0000-7000-8000-000000000000';
/** Starting a process takes long on a busy machine. */
const PATIENCE = 100_000;
const WRITES = [
  'task_submit',
  'template_activate',
  'task_cancel',
  'task_retry',
  'step_retry',
  'step_resolve',
  'step_complete',
  'dlq_update',
  'signal_send',
  'approval_vote',
  'task_rerun',
  'task_pause',
  'task_resume',
  'template_pause',
  'template_resume',
  'namespace_pause',
  'namespace_resume',
  'schedule_pause',
  'schedule_resume',
  'schedule_trigger',
];
/** Maximum size of the list of tools, in bytes. Every conversation of an assistant begins with it. */
const MOST_BYTES = 20_500;

let bench: ActsBench;
let served: Listening;
let writer: Assistant;
let reader: Assistant;
const assistants: Assistant[] = [];

/** An assistant that is connected to `tasker mcp`. */
interface Assistant {
  client: Client;
  /** Closes the input of `tasker mcp`, which then ends. */
  leave(): Promise<void>;
  call(tool: string, given?: Json): Promise<Json & { isError?: boolean }>;
}

/** Connects an assistant to `tasker mcp` in this process. One test below runs it in its own process. */
async function assistant(args: readonly string[], env: Record<string, string> = {}): Promise<Assistant> {
  const client = new Client({ name: 'tests', version: '1' });
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough().resume()];
  const io = { stdin, stdout, stderr, cwd: tmpdir(), env, signal: new AbortController().signal };
  const ended = main([process.execPath, 'tasker', 'mcp', ...args], io);
  await client.connect(new StdioServerTransport(stdout, stdin), { timeout: PATIENCE });
  const made: Assistant = {
    client,
    leave: async () => {
      await client.close();
      stdin.end();
      expect(await ended).toBe(0);
    },
    call: async (name, given = {}) => {
      const { content, isError } = await client.callTool({ name, arguments: given }, undefined, { timeout: PATIENCE });
      const [{ text }] = content as [{ text: string }];
      return isError && !text.startsWith('{')
        ? { text, isError }
        : { ...JSON.parse(text), ...(isError ? { isError } : {}) };
    },
  };
  assistants.push(made);
  return made;
}

beforeAll(async () => {
  bench = await actsBench();
  const database = ['--database-url', bench.api.url];
  const app = restApp({
    tasker: bench.api.tasker,
    logger: silentLogger,
    facts: { version: '1', environment: 'test', state: () => 'running' },
    security: { ...LOCAL_SECURITY, auth: { ...LOCAL_SECURITY.auth, required: 'always' } },
  });
  served = await listen(app, { host: '127.0.0.1', port: 0 });
  [writer, reader] = await Promise.all([
    assistant([...database, '--allow-writes', '--by', 'ann']),
    assistant(database),
  ]);
});
afterAll(async () => {
  await Promise.all(assistants.map((one) => one.leave()));
  await served?.close();
  await bench?.api.stop();
});

const schedule = (name: string) =>
  bench.api.tasker.schedules.create({ name, template: 'test/waits@1.0.0', every: '24h' });
const key = async (name: string, role: 'viewer' | 'operator', namespaces?: string[]) =>
  (await createApiKey(bench.api.tasker, { name, roles: [role], ...(namespaces && { namespaces }) }, {})).key;
const overServer = async (apiKey: string, ...args: string[]) =>
  assistant(['--server', served.url, ...args], { TASKER_API_KEY: apiKey });

describe('tasker mcp', () => {
  it('runs every tool that reads', async () => {
    const task_uuid = await bench.failed();
    await bench.api.tasker.deadLetters.add(task_uuid, { actor: 'ann', reason: 'look' });
    await schedule('read');
    const yaml = PAIR.replace('handler: first', 'handler: first, result_schema: { type: object }');
    /** The values of arguments that every tool needs. */
    const known: Json = { task_uuid, step: 'second', namespace: 'test', name: 'demo', version: '1.0.0', yaml };
    const given: Record<string, Json> = {
      task_list: { open: true, limit: 5 },
      step_list: { step_state: 'error' },
      dlq_inspect: { task_uuid },
      schedule_inspect: { name: 'read' },
      stats: { since: '1h' },
      template_generate: {
        name: 'order',
        namespace: 'shop',
        steps: [
          { name: 'charge', outputs: [{ name: 'ids', field_type: 'array:string' }] },
          { name: 'ship', handler: 'ship', depends_on: ['charge'], outputs: [] },
        ],
      },
      search_docs: { query: 'retry' },
      schema_compare: { yaml, producer: 'first', consumer: 'second' },
      schema_diff: { before: yaml, after: yaml.replace('second', 'third') },
    };
    const { tools } = await reader.client.listTools();
    const answers: Record<string, Json> = {};
    for (const { name, inputSchema } of tools) {
      const needed = (inputSchema.required ?? []).map((argument) => [argument, known[argument]]);
      answers[name] = await reader.call(name, given[name] ?? Object.fromEntries(needed));
    }
    const refused = Object.entries(answers).filter(([, answer]) => answer.isError);
    expect(refused).toEqual([]);
    expect(Object.keys(answers)).toEqual(expect.arrayContaining(Object.keys(given)));
    expect(answers.template_validate).toMatchObject({ valid: true, step_count: 2 });
    expect(answers.handler_generate!.handlers).toContain("from 'tasker-core'");
    expect(mustParseTemplate(answers.template_generate!.yaml)).toMatchObject({
      namespace: 'shop',
      version: '1.0.0',
      steps: [
        {
          name: 'charge',
          handler: { callable: 'shop.charge' },
          resultSchema: { required: ['ids'], properties: { ids: { type: 'array', items: { type: 'string' } } } },
        },
        { name: 'ship', handler: { callable: 'ship' }, dependencies: ['charge'], resultSchema: null },
      ],
    });
    expect(answers.schema_diff).toMatchObject({ breaking: true });
    expect(answers.connection_status).toMatchObject({ writes_allowed: false, caller: { authenticated: false } });
    expect(answers.connection_status!.place).not.toMatch(/:(?!\[redacted\])[^/@]+@/);
    expect(answers.task_why!.summary).toContain('failed permanently');
    expect(answers.task_visualize!.text).toMatch(/^flowchart TD\n/);
    expect(answers.step_inspect).toMatchObject({ name: 'second', current_state: 'error' });
    expect(answers.schedule_list!.schedules).toMatchObject([{ name: 'read', state: 'active' }]);
    expect(answers.schedule_inspect).toMatchObject({ name: 'read', template: 'test/waits@1.0.0' });
    expect(answers.dlq_inspect).toMatchObject({ task_uuid, resolution_status: 'Pending' });
    expect(answers.template_inspect_remote).toMatchObject({ template: { name: 'demo' } });
  });

  it('searches the documentation, and offers its pages as resources', async () => {
    const { results } = await reader.call('search_docs', { query: 'how do I undo a task?' });
    expect(results).toHaveLength(6);
    expect(results[0]).toMatchObject({
      path: expect.stringMatching(/^docs\/guide\/undo\.md/),
      heading: expect.stringMatching(/^Undo/),
    });
    const [{ uri }] = results;
    const { contents } = await reader.client.readResource({ uri });
    expect(contents).toMatchObject([{ uri, mimeType: 'text/markdown', text: expect.stringMatching(/^# Undo\n/) }]);
    for (const page of ['guide/nothing.md', '../package.json']) {
      await expect(reader.client.readResource({ uri: `tasker://docs/${page}` })).rejects.toThrow(/no page|not found/);
    }
    expect(await reader.call('search_docs', { query: '' })).toMatchObject({ isError: true });
  });

  it('previews every tool that writes without changing anything, and executes it when it is confirmed', async () => {
    const failed = await bench.failed();
    const [waiting, doomed, other] = [await bench.waiting(), await bench.waiting(), await bench.failed()];
    const done = await bench.create('demo', { context: { lucky: true } });
    await bench.api.tasker.waitForTask(done);
    await schedule('acted');
    const reason = 'the user asked';
    const entry = await bench.api.tasker.deadLetters.add(other, { actor: 'ann', reason: 'look' });
    const given: Record<string, Json> = {
      task_submit: { namespace: 'test', name: 'demo', version: '1.0.0', context: { lucky: true }, reason },
      template_activate: { namespace: 'test', name: 'demo', version: 'latest', reason },
      task_cancel: { task_uuid: doomed },
      task_retry: { task_uuid: failed, reason },
      step_retry: { task_uuid: failed, step: 'second', reason },
      step_complete: { task_uuid: failed, step: 'second', reason, result: { made: 7 } },
      step_resolve: { task_uuid: other, step: 'second', reason },
      dlq_update: { task_uuid: other, dlq_entry_uuid: entry.dlqEntryUuid, resolution_status: 'manually_resolved' },
      signal_send: { task_uuid: waiting, name: 'paid', payload: { amount: 3 } },
      approval_vote: { task_uuid: waiting, step: 'sign', decision: 'approve', comment: 'fine' },
      task_rerun: { task_uuid: done, from: 'second' },
      task_pause: { task_uuid: waiting },
      task_resume: { task_uuid: waiting },
      template_pause: { namespace: 'test', name: 'outer' },
      template_resume: { namespace: 'test', name: 'outer' },
      namespace_pause: { namespace: 'other', reason },
      namespace_resume: { namespace: 'other' },
      schedule_pause: { name: 'acted' },
      schedule_resume: { name: 'acted' },
      schedule_trigger: { name: 'acted' },
    };
    const { tools } = await writer.client.listTools();
    const writing = tools.filter(({ annotations }) => !annotations?.readOnlyHint);
    expect(writing.map(({ name }) => name).sort()).toEqual([...WRITES].sort());
    const before = JSON.stringify(await bench.api.sql('select * from tasker.operator_action order by 1'));
    const count = async () => (await bench.api.sql('select count(*)::int n from tasker.task'))[0]!.n;
    const tasks = await count();
    for (const name of WRITES) {
      const preview = await writer.call(name, given[name]);
      expect([name, preview]).toMatchObject([
        name,
        { action: name, status: 'preview', details: { arguments: given[name] } },
      ]);
      expect(preview.description).toContain('as ann');
    }
    expect(JSON.stringify(await bench.api.sql('select * from tasker.operator_action order by 1'))).toBe(before);
    expect(await count()).toBe(tasks);
    for (const name of Object.keys(given)) {
      // The steps fail again immediately.
      await bench.api.tasker.waitForTask(failed);
      const executed = await writer.call(name, { ...given[name], confirm: true });
      expect([name, executed]).toMatchObject([name, { action: name, status: 'executed' }]);
    }
    const { entries } = await bench.api.tasker.audit({ task: failed });
    expect(entries.map(({ actor, action }) => [actor, action])).toContainEqual(['ann', 'reset']);
    expect((await bench.api.tasker.getTask(doomed)).status).toBe('cancelled');
    expect((await bench.api.tasker.getTask(failed)).status).toBe('complete');
    expect((await bench.api.tasker.getTask(other)).status).toBe('complete');
  });

  it('offers all tools in at most 20.5 kB, and never requires a reason', async () => {
    const list = await writer.client.listTools();
    expect(Buffer.byteLength(JSON.stringify(list))).toBeLessThanOrEqual(MOST_BYTES);
    const asking = list.tools.filter(({ inputSchema }) => inputSchema.required?.includes('reason'));
    expect(asking.map(({ name }) => name)).toEqual([]);
    const task_uuid = await bench.failed();
    expect(await writer.call('task_retry', { task_uuid, confirm: true })).toMatchObject({ status: 'executed' });
    const submit = { namespace: 'test', name: 'demo', version: '1.0.0', context: { lucky: true }, confirm: true };
    expect(await writer.call('task_submit', submit)).toMatchObject({
      result: { initiator: 'ann', source_system: 'mcp' },
    });
  });

  it('names the tool that reads the existing task when the identity of a new task is taken', async () => {
    const submit = { namespace: 'test', name: 'demo', version: '1.0.0', context: { lucky: true }, confirm: true };
    const given = { ...submit, idempotency_key: 'order 7' };
    const { result } = await writer.call('task_submit', given);
    expect(await writer.call('task_submit', given)).toMatchObject({
      error: 'conflict',
      message: `task demo with the idempotency key order 7 already exists: ${result.task_uuid}; get it with task_inspect, or use another idempotency key`,
      details: { task_uuid: result.task_uuid },
      isError: true,
    });
    expect(await writer.call('task_inspect', { task_uuid: result.task_uuid })).toMatchObject({ name: 'demo' });
  });

  it('returns the open task of a key, with the outcome', async () => {
    await bench.api.tasker.registerTemplates([
      template({ a: [] }, { name: 'keyed', unique: { key: 'context.customer' } }),
    ]);
    const given = { namespace: 'test', name: 'keyed', context: { customer: 'c-1' }, confirm: true };
    const { result } = await writer.call('task_submit', given);
    expect(result).toMatchObject({ created: true, outcome: 'created' });
    expect(await writer.call('task_submit', given)).toMatchObject({
      result: { task_uuid: result.task_uuid, created: false, outcome: 'returned', rule: 'unique' },
    });
  });

  it('previews a rerun with the steps that would run again', async () => {
    const task_uuid = await bench.create('demo', { context: { lucky: true } });
    await bench.api.tasker.waitForTask(task_uuid);
    const preview = await writer.call('task_rerun', { task_uuid, from: 'first' });
    expect(preview).toMatchObject({
      description: expect.stringContaining(`run first of task ${task_uuid} and all steps after it again`),
      details: { dry_run: { dry_run: true, steps: [{ step: 'first' }, { step: 'second' }] } },
    });
    expect((await bench.api.tasker.getTask(task_uuid)).status).toBe('complete');
    expect(await writer.call('task_rerun', { task_uuid, from: 'frist' })).toMatchObject({ isError: true });
  });

  it('limits the size of previews, and reports what was left out and how to get it', async () => {
    const rows = Array.from({ length: 900 }, (_, n) => ({ n, text: 'x'.repeat(90) }));
    const task_uuid = await bench.create('waits', { context: { rows } });
    const preview = await writer.call('task_cancel', { task_uuid });
    expect(JSON.stringify(preview).length).toBeLessThan(8_000);
    expect(preview.details.current).toMatchObject({
      truncated: true,
      left_out: expect.arrayContaining([expect.stringMatching(/^context\.rows: \d+ of 900 items$/)]),
      hint: expect.stringContaining('task_inspect'),
    });
    const submit = { namespace: 'test', name: 'demo', version: '1.0.0', context: { rows } };
    const submitted = await writer.call('task_submit', submit);
    expect(JSON.stringify(submitted).length).toBeLessThan(12_000);
    expect(submitted.instruction).toContain('confirm: true');
  });

  it('previews the act on a template with its versions only, and rejects an unknown one', async () => {
    const preview = await writer.call('template_pause', { namespace: 'test', name: 'outer' });
    expect(preview.details.current.templates).toMatchObject([{ name: 'outer', version: '1.0.0' }]);
    expect(await writer.call('task_submit', { namespace: 'test', name: 'outr', context: {} })).toMatchObject({
      error: 'template_not_found',
      message: 'unknown template outr; did you mean outer?',
      isError: true,
    });
    const nowhere = await writer.call('template_pause', { namespace: 'nowhere', name: 'outer' });
    expect(nowhere).toMatchObject({ message: 'namespace nowhere has no templates', isError: true });
  });

  it('sends the first of several signals, whose name and payload are the result of the step', async () => {
    const task_uuid = await bench.create('either');
    const misspelt = await writer.call('signal_send', { task_uuid, name: 'refusd', confirm: true });
    expect(misspelt).toMatchObject({ isError: true, message: expect.stringContaining('did you mean refused?') });
    const sent = await writer.call('signal_send', { task_uuid, name: 'refused', payload: 'no money', confirm: true });
    expect(sent).toMatchObject({ status: 'executed' });
    await bench.api.tasker.waitForTask(task_uuid);
    const step = await reader.call('step_inspect', { task_uuid, step: 'pay' });
    expect(step).toMatchObject({
      current_state: 'complete',
      results: { result: { name: 'refused', payload: 'no money' } },
    });
  });

  it('shows a preview without the current state if the caller may not read it', async () => {
    const task_uuid = await bench.waiting();
    const { key: secret } = await createApiKey(bench.api.tasker, { name: 'blind', permissions: ['tasks:cancel'] }, {});
    const blind = await overServer(secret, '--allow-writes');
    const preview = await blind.call('task_cancel', { task_uuid });
    expect(preview).toMatchObject({ status: 'preview', details: { current: { not_shown: expect.any(String) } } });
    expect(preview.details.current.not_shown).toContain('tasks:read');
    expect(await blind.call('task_cancel', { task_uuid, confirm: true })).toMatchObject({ status: 'executed' });
  });

  it('cannot write without --allow-writes, or with a key that lacks the permission', async () => {
    const task_uuid = await bench.waiting();
    for (const name of WRITES) {
      const answer = await reader.call(name, { task_uuid, confirm: true });
      expect([name, answer.isError, answer.message]).toEqual([name, true, expect.stringContaining('--allow-writes')]);
    }
    const viewer = await overServer(await key('viewer', 'viewer'), '--allow-writes');
    for (const confirm of [false, true]) {
      expect(await viewer.call('task_cancel', { task_uuid, confirm })).toMatchObject({
        error: 'permission_denied',
        tool: 'task_cancel',
        required_permission: 'tasks:cancel',
        isError: true,
      });
    }
    expect((await bench.api.tasker.getTask(task_uuid)).status).not.toBe('cancelled');
    expect(await viewer.call('connection_status')).toMatchObject({ caller: { subject: 'key:viewer' } });
  });

  it("over a server, acts under the name of its key and only in the key's namespaces", async () => {
    const task_uuid = await bench.waiting();
    const elsewhere = await bench.create('elsewhere', {}, 'other');
    const operator = await overServer(await key('operator', 'operator', ['test']), '--allow-writes', '--by', 'eve');
    expect(await operator.call('task_cancel', { task_uuid, confirm: true })).toMatchObject({ status: 'executed' });
    expect((await bench.api.tasker.audit({ task: task_uuid })).entries[0]).toMatchObject({ actor: 'key:operator' });
    expect(await operator.call('task_inspect', { task_uuid: elsewhere })).toMatchObject({ error: 'not_found' });
    expect(await operator.call('task_cancel', { task_uuid: elsewhere, confirm: true })).toMatchObject({
      error: 'not_found',
    });
    expect(await operator.call('namespace_pause', { namespace: 'other' })).toMatchObject({
      error: 'namespace_not_found',
      message: 'namespace other not found; the caller may use test',
    });
    const away = await assistant(['--server', 'http://127.0.0.1:1']);
    expect(await away.call('system_health')).toMatchObject({ error: 'connection_failed', isError: true });
  });

  it('reports the problem in invalid arguments', async () => {
    const unknown = await reader.call('task_inspect', { task_uuid: NEVER });
    expect(unknown).toMatchObject({ error: 'not_found', message: expect.stringContaining(NEVER), valid: false });
    expect(await reader.call('task_inspect', { task_uuid: '../../auth/keys' })).toMatchObject({ isError: true });
    expect(await reader.call('task_inspect', { task_uuid: '..' })).toMatchObject({ isError: true });
    const message = async (tool: string, given?: Json) => (await reader.call(tool, given)).message as string;
    expect(await message('task_inspect', { task_uid: NEVER })).toBe(
      'task_uuid is missing; unknown argument task_uid; did you mean task_uuid?',
    );
    expect(await message('task_list', { limit: 1e9 })).toBe('limit: must be at most 100');
    expect(await message('task_list', { stat: 'error' })).toBe('unknown argument stat; did you mean state?');
    expect(await message('task_list', { open: 'maybe' })).toBe('open: must be true or false, not a string');
    expect(await message('task_lst')).toBe('unknown tool task_lst; did you mean task_list?');
    expect((await writer.call('task_cancle')).message).toBe('unknown tool task_cancle; did you mean task_cancel?');
    const spec = (steps: Json[]) => reader.call('template_generate', { name: 'a', namespace: 'b', steps });
    expect((await spec([{ name: 'x', depends_on: ['y'] }])).message).toMatch(/unknown step `y` in depends_on of `x`/);
    expect((await spec([{ name: 'x', handlr: 'y' }])).message).toBe(
      'steps.0: unknown field handlr; did you mean handler?',
    );
    expect((await spec([{ name: 'x', outputs: [{ name: 'o', field_type: 'text' }] }])).message).toContain('field_type');
    const task_uuid = await bench.failed();
    expect((await reader.call('step_inspect', { task_uuid, step: 'secnd' })).message).toContain('first, second');
  });

  it('generates a template with every type of step', async () => {
    const batch_config = {
      parallelism: 4,
      cursor_field: 'id',
      worker_template: 'import_rows',
      failure_strategy: 'continue_on_failure',
    };
    const steps: Json[] = [
      { name: 'load', retry: { max_attempts: 5 }, timeout_seconds: 20 },
      { name: 'route', type: 'decision', depends_on: ['load'] },
      { name: 'by_hand', depends_on: ['route'] },
      { name: 'joined', type: 'deferred_convergence', depends_on: ['by_hand'] },
      { name: 'split', type: 'batchable', depends_on: ['load'] },
      { name: 'import_rows', type: 'batch_worker', depends_on: ['split'], batch_config },
      { name: 'nap', type: 'timer', timer: { for: '2h' } },
      { name: 'paid', type: 'signal', signal: { name: 'paid', timeout: '7d' } },
      { name: 'sign', type: 'approval', approval: { title: 'Pay?', assignees: ['ann'] } },
      { name: 'bill', type: 'task', template: 'billing/invoice', context: { id: 'context.id' }, timeout: '2h' },
      {
        name: 'each',
        type: 'for_each',
        for_each: { elements: 'context.lines', steps: [{ name: 'pack', handler: 'shop.pack' }] },
      },
      { name: 'abort', type: 'fail', message: 'no', when: 'context.bad', depends_on: ['load'], run_if: 'not_failed' },
    ];
    const { yaml } = await reader.call('template_generate', { name: 'all', namespace: 'shop', steps });
    const template = mustParseTemplate(yaml);
    expect([...new Set(template.steps.map(({ type }) => type))].sort()).toEqual([...STEP_TYPES].sort());
    expect(template.steps.find(({ name }) => name === 'load')).toMatchObject({ timeoutSeconds: 20 });
    expect(yaml).not.toMatch(/callable: shop\.(nap|paid|sign)/);
    const wrong = await reader.call('template_generate', {
      name: 'all',
      namespace: 'shop',
      steps: [{ name: 'nap', type: 'timer', timer: { after: '2h' } }],
    });
    expect(wrong).toMatchObject({ isError: true, message: expect.stringContaining('`timer` of `nap` has no time') });
  });

  it('shortens large results and hides secrets', async () => {
    const context = {
      lucky: true,
      notes: '€'.repeat(9000),
      rows: Array.from({ length: 900 }, (_, n) => ({ n, text: 'x'.repeat(90) })),
      api_key: 'k-123456',
      callback: 'https://bob:hunter2@shop.example/x?token=t-1234',
    };
    const task_uuid = await bench.create('demo', { context });
    const { content } = await reader.client.callTool({ name: 'task_inspect', arguments: { task_uuid } });
    const [{ text }] = content as [{ text: string }];
    expect(text.length).toBeLessThan(40_001);
    const { truncated, answer, left_out, hint } = JSON.parse(text) as Json;
    expect([truncated, answer.task_uuid]).toEqual([true, task_uuid]);
    expect(left_out).toContainEqual(expect.stringMatching(/^context\.rows: \d+ of 900 items$/));
    expect(hint).toContain(`tasker task get ${task_uuid} --json`);
    expect(answer.context.notes).toContain('more characters');
    expect(answer.context.rows.at(-1)).toMatch(/^… \d+ more$/);
    const uri = `tasker://tasks/${task_uuid}`;
    const [resource] = (await reader.client.readResource({ uri })).contents as unknown as [{ text: string }];
    for (const shown of [text, resource.text]) expect(shown).not.toMatch(/k-123456|hunter2|t-1234/);
  });

  it('shortens a long page, and names a limit whose pages fit', async () => {
    const text = 'x'.repeat(2000);
    for (let n = 0; n < 30; n++) await bench.create('elsewhere', { context: { n, text } }, 'other');
    // A search does not find the newest tasks immediately.
    const long = await until(
      () => reader.call('task_list', { namespace: 'other', limit: 30 }),
      ({ truncated, answer }) => truncated === true && answer.pagination.total_count >= 30,
    );
    expect(long.left_out).toContainEqual(expect.stringMatching(/^tasks(\[\]\.context\.text: texts after|: \d+ of 30)/));
    const limit = Number(/pass limit: (\d+), and next_cursor as cursor/.exec(long.hint)![1]);
    const seen = new Set<number>();
    for (let cursor: string | undefined; seen.size < 30; ) {
      const page = await reader.call('task_list', {
        namespace: 'other',
        name: 'elsewhere',
        limit,
        ...(cursor && { cursor }),
      });
      expect([page.truncated, page.tasks.length]).toEqual([undefined, expect.any(Number)]);
      for (const { context } of page.tasks) if (context.text === text) seen.add(context.n);
      cursor = page.pagination.next_cursor;
    }
  });

  it('lists templates and tasks as resources, and reads them', async () => {
    const { resources } = await reader.client.listResources();
    const uris = resources.map(({ uri }) => uri);
    expect(uris).toContain('tasker://templates/test/demo/1.0.0');
    expect(uris.some((uri) => uri.startsWith('tasker://tasks/'))).toBe(true);
    const [template] = (await reader.client.readResource({ uri: 'tasker://templates/other/elsewhere/1.0.0' }))
      .contents as unknown as [{ text: string }];
    expect(JSON.parse(template.text)).toMatchObject({ template: { name: 'elsewhere' } });
    await expect(reader.client.readResource({ uri: `tasker://tasks/${NEVER}` })).rejects.toThrow(NEVER);
  });

  it('writes only the protocol to standard output, ignores invalid input, and exits when its input ends', async () => {
    const child = spawn(process.execPath, [TASKER, 'mcp', '--verbose', '--database-url', bench.api.url], {
      cwd: tmpdir(),
      env: { PATH: process.env.PATH },
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const send = (message: object | string) =>
      child.stdin.write(`${typeof message === 'string' ? message : JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    const params = { protocolVersion: '2025-03-26', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
    send({ id: 1, method: 'initialize', params });
    send('this is not JSON');
    send({ id: 2, method: 'tools/nothing' });
    send({ id: 3, method: 'tools/call', params: { name: 'template_list_remote', arguments: {} } });
    await expect.poll(() => output.split('\n').length, { timeout: PATIENCE }).toBe(4);
    const lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    expect(lines.map(({ id }) => id).sort()).toEqual([1, 2, 3]);
    expect(lines.find(({ id }) => id === 1)!.result.protocolVersion).toBe('2025-03-26');
    child.stdin.end();
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
  });

  it('names the package to install if the SDK is missing', async () => {
    const place = await installation();
    try {
      const project = await place.project('plain');
      await rm(path.resolve(project.folder, '../node_modules/@modelcontextprotocol'));
      const { code, stderr } = await project.run(['mcp']);
      expect([code, stderr]).toEqual([
        expect.any(Number),
        expect.stringContaining('npm install @modelcontextprotocol/sdk'),
      ]);
      expect(code).not.toBe(0);
    } finally {
      await place.remove();
    }
  });
});
