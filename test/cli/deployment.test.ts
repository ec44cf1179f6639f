import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { createTasker } from '../../src/app/create-tasker.ts';
import { startProxy } from '../support/crash/proxy.ts';
import { freshDatabase } from '../support/database.ts';
import { installation } from './installation.ts';
import { RunningProcess } from './running.ts';

const DOCKERFILE = await readFile('deploy/Dockerfile', 'utf8');

/** The command that a container runs. */
const command = JSON.parse(/^CMD (\[.*\])$/m.exec(DOCKERFILE)![1]!) as string[];

/** Creates the environment of a container as root: its own processes, and a read-only project. */
const CONTAINER = `set -e
mount --bind "$PROJECT" "$PROJECT"
mount -o remount,bind,ro "$PROJECT"
if touch "$PROJECT/written" 2>/dev/null; then exit 99; fi
cd "$PROJECT"
exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "$@"
`;
const mayContain =
  spawnSync('unshare', ['--mount', '--pid', '--fork', '--mount-proc', 'setpriv', '--reuid=65534', 'true']).status === 0;

// Skipped if the system does not permit namespaces.
it.runIf(mayContain)(
  'the worker runs as in its image: as the first process, as a user other than root, in a read-only project',
  async () => {
    const [place, database] = await Promise.all([installation(), freshDatabase()]);
    const temporary = await mkdtemp(path.join(tmpdir(), 'tasker-deploy-'));
    spawnSync('chown', ['65534:65534', temporary]);
    onTestFinished(async () => {
      await place.remove();
      await database.drop();
      await rm(temporary, { recursive: true });
    });
    const project = await place.project('shop');
    await project.write(
      'templates/work.yaml',
      'name: work\nnamespace: shop\nversion: "1.0.0"\nidentity_strategy: always_unique\nsteps: [{ name: work, handler: work }]\n',
    );
    await project.write(
      'handlers/work.ts',
      `import { defineHandler } from 'tasker-core';
export const work = defineHandler('work', {}, async () => ({ pid: process.pid, user: process.getuid?.() as number }));
`,
    );
    const proxy = await startProxy(database.url);
    const root = path.resolve(project.folder, '..');
    const [node, bin, ...rest] = command;
    expect([node, bin]).toEqual(['node', 'node_modules/tasker-core/bin/tasker.js']);
    const program = [process.execPath, path.join(root, bin!), ...rest];
    const child = spawn(
      'unshare',
      ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child', 'sh', '-c', CONTAINER, 'sh', ...program],
      {
        env: {
          PATH: process.env.PATH,
          PROJECT: project.folder,
          TMPDIR: temporary,
          NODE_ENV: 'production',
          TASKER_ENV: 'production',
          TASKER_WEB_BIND_ADDRESS: '0.0.0.0:0',
          DATABASE_URL: proxy.url,
        },
      },
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    const worker = new RunningProcess(child);
    await worker.until('worker is ready');
    const [, port] = /"url":"http:\/\/0\.0\.0\.0:(\d+)"/.exec(worker.output)!;
    expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200);
    const client = await createTasker({ databaseUrl: database.url, worker: false });
    onTestFinished(() => client.stop());
    const { taskUuid } = await client.createTask({ namespace: 'shop', name: 'work' });
    await client.waitForTask(taskUuid, { timeoutMs: 30_000 });
    expect((await client.getStep(taskUuid, 'work')).results?.result).toEqual({ pid: 1, user: 65534 });
    const [first] = (await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')).split(' ');
    process.kill(Number(first), 'SIGTERM');
    expect(await worker.ended).toMatchObject({ code: 0, signal: null });
  },
);

it('every deployment file allows more time to stop than the drain timeout, and probes the same port', async () => {
  const kubernetes = await readdir('deploy/kubernetes');
  const read = async (file: string) => parseAllDocuments(await readFile(path.join('deploy', file), 'utf8'));
  const files = ['compose.yaml', ...kubernetes.map((file) => `kubernetes/${file}`)];
  const documents = new Map(await Promise.all(files.map(async (file) => [file, await read(file)] as const)));
  for (const [file, parsed] of documents) expect([file, parsed.flatMap(({ errors }) => errors)]).toEqual([file, []]);
  const compose = documents.get('compose.yaml')![0]!.toJS();
  expect(compose.services.worker).toMatchObject({ read_only: true, tmpfs: ['/tmp'], stop_grace_period: '45s' });
  const { spec } = documents.get('kubernetes/worker.yaml')![0]!.toJS().spec.template;
  expect(spec.terminationGracePeriodSeconds).toBe(45);
  const [container] = spec.containers;
  expect(container.securityContext.readOnlyRootFilesystem).toBe(true);
  expect(container.ports).toEqual([{ name: 'health', containerPort: 8081 }]);
  expect(container.env).toContainEqual({ name: 'TASKER_WEB_BIND_ADDRESS', value: '0.0.0.0:8081' });
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    expect(container[probe].httpGet).toMatchObject({ path: expect.stringMatching(/^\/health\//), port: 'health' });
  }
  const [server, service] = documents.get('kubernetes/server.yaml')!.map((one) => one.toJS());
  const served = server.spec.template.spec;
  const [migrate] = documents.get('kubernetes/migrate.yaml')!.map((one) => one.toJS().spec.template.spec);
  expect([served.terminationGracePeriodSeconds, served.containers[0].command.at(-1)]).toEqual([45, 'server']);
  expect(served.containers[0].ports).toEqual([{ name: 'http', containerPort: 8080 }]);
  expect(service.spec.selector).toEqual(server.spec.selector.matchLabels);
  expect(migrate.containers[0].command.slice(-2)).toEqual(['db', 'migrate']);
  for (const one of [...served.containers, ...migrate.containers]) {
    expect(one.securityContext).toEqual(container.securityContext);
  }
  const [monitor] = documents.get('kubernetes/pod-monitor.yaml')!.map((one) => one.toJS().spec);
  expect(monitor.podMetricsEndpoints.map(({ port }: { port: string }) => port)).toEqual(['health', 'http']);
  const newer = await readFile('deploy/Dockerfile.node24', 'utf8');
  const instructions = (text: string) => text.replaceAll(/^#.*\n/gm, '').replaceAll('node:20', 'node:24');
  expect(instructions(newer)).toBe(instructions(DOCKERFILE));
  expect(DOCKERFILE).toMatch(/^USER node$/m);
  expect(await readFile('deploy/tasker-worker.service', 'utf8')).toMatch(/^TimeoutStopSec=45$/m);
});
