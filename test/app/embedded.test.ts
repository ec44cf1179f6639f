import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Registry } from 'prom-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { freshDatabase } from '../support/database.ts';
import { sharedDatabase } from '../support/shared-database.ts';

// The program writes what it finds to a file, so that standard output and error contain only output of the library.
const APPLICATION = `
import { writeFileSync } from 'node:fs';
import { createTasker, defineHandler, mustParseTemplate } from ${JSON.stringify(pathToFileURL(path.resolve('dist/bundle/index.js')).href)};

const LISTENED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT', 'SIGPIPE',
  'uncaughtException', 'uncaughtExceptionMonitor', 'unhandledRejection', 'beforeExit', 'message', 'disconnect'];
const probe = () => ({
  listeners: LISTENED.filter((name) => process.listenerCount(name) > 0),
  ports: process.getActiveResourcesInfo().filter((name) => /TCPServer|TCPSERVER/i.test(name)),
});

const [, , file, ending] = process.argv;
const before = probe();
const tasker = await createTasker({
  templates: mustParseTemplate(JSON.stringify({
    name: 'demo', namespace: 'application', version: '1.0.0', steps: [{ name: 'a', handler: 'a' }, { name: 'b', handler: 'b' }],
  })),
  handlers: [defineHandler('a', {}, () => ({})), defineHandler('b', {}, () => { throw new Error('of the handler'); })],
  ...(process.env.DATABASE_URL ? {} : { embeddedFolder: process.argv[4] }),
});
const { taskUuid } = await tasker.createTask({ namespace: 'application', name: 'demo' });
for await (const { steps } of tasker.watchTask(taskUuid)) {
  if (steps[0].currentState === 'complete' && steps[1].attempts > 0) break;
}
const during = probe();
if (ending === 'stop') await tasker.stop();
else if (ending === 'twice') await Promise.all([tasker.stop(), tasker.stop({ drainTimeoutMs: 0 })]);
writeFileSync(file, JSON.stringify({ before, during, after: probe() }));
if (ending === 'signal') console.log('runs');
`;

type Findings = Record<'before' | 'during' | 'after', { listeners: string[]; ports: string[] }>;

interface Application {
  child: ReturnType<typeof spawn>;
  /** The output of the program and its findings, after it has ended. */
  ended: Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string; findings: Findings }>;
}

function application(ending: 'stop' | 'twice' | 'signal', { databaseUrl }: { databaseUrl?: string } = {}): Application {
  const folder = mkdtempSync(path.join(tmpdir(), 'tasker-application-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const program = path.join(folder, 'application.mjs');
  const file = path.join(folder, 'findings.json');
  writeFileSync(program, APPLICATION);
  const env = { PATH: process.env.PATH, HOME: folder, ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }) };
  const child = spawn(process.execPath, [program, file, ending, path.join(folder, '.tasker')], { cwd: folder, env });
  onTestFinished(() => void child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  const ended = once(child, 'close').then(([code, signal]) => ({
    ...{ code, signal, ...output },
    findings: JSON.parse(readFileSync(file, 'utf8')) as Findings,
  }));
  return { child, ended };
}

async function database(): Promise<string> {
  const { url, drop } = await freshDatabase();
  onTestFinished(drop);
  return url;
}

const SILENT = { code: 0, signal: null, stdout: '', stderr: '' };
const NOTHING = { listeners: [], ports: [] };

describe('a tasker in an application', () => {
  it('a tasker prints nothing, handles no signal and opens no port, and the process exits once the tasker has stopped', async () => {
    const { ended } = application('stop', { databaseUrl: await database() });
    expect(await ended).toEqual({ ...SILENT, findings: { before: NOTHING, during: NOTHING, after: NOTHING } });
  });

  it('two callers may stop a tasker at the same time', async () => {
    const { ended } = application('twice', { databaseUrl: await database() });
    expect(await ended).toMatchObject(SILENT);
  });

  it('a tasker with an embedded database prints nothing, handles no signal and opens no port', async () => {
    const { ended } = application('stop');
    expect(await ended).toEqual({ ...SILENT, findings: { before: NOTHING, during: NOTHING, after: NOTHING } });
  });

  it.runIf(process.platform !== 'win32')(
    'a tasker leaves signals to the application: without a listener, a signal ends the process',
    async () => {
      const { child, ended } = application('signal', { databaseUrl: await database() });
      await once(child.stdout!, 'data');
      child.kill('SIGTERM');
      expect(await ended).toMatchObject({ code: null, signal: 'SIGTERM', stderr: '' });
    },
  );
});

/** Returns the metric lines about created tasks, one per namespace. */
async function created(registry: Registry): Promise<string[]> {
  return (await registry.metrics()).split('\n').filter((line) => line.startsWith('tasker_tasks_requests_total{'));
}

describe('two taskers in one process', () => {
  const shared = sharedDatabase();

  it('each tasker counts its own tasks in its own metrics registry', async () => {
    const [mine, yours] = [new Registry(), new Registry()];
    const handlers = [defineHandler('a', {}, () => ({}))];
    const one = await shared.setup({ a: [] }, { handlers, metrics: mine });
    const two = await shared.setup({ a: [] }, { handlers, metrics: yours });
    const third = await shared.setup({ a: [] }, { handlers });
    const tasks = await one.tasker.createTasks([one.demo, one.demo]);
    await Promise.all(tasks.map(({ taskUuid }) => one.tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })));

    expect(await created(mine)).toEqual([expect.stringMatching(/ 2$/)]);
    expect(await created(yours)).toEqual([]);
    const own = (await third.tasker.metrics.text())
      .split('\n')
      .filter((line) => /^tasker_tasks_(?:requests|completions)/.test(line));
    expect(own.join('\n')).not.toContain(one.demo.namespace);
    await one.tasker.stop();
    expect(mine.getMetricsAsArray()).toEqual([]);
    await two.tasker.createTask(two.demo);
    expect(await created(yours)).toEqual([expect.stringContaining(two.demo.namespace)]);
  });

  it('each tasker has its own registries and does not use the registries of the process', async () => {
    await shared.setup({ a: [] }, { handlers: [defineHandler('a', {}, () => ({}))] });
    expect(HandlerRegistry.instance().listHandlers()).toEqual([]);
  });
});
