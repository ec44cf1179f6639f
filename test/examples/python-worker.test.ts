import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { describeWith } from '../support/suite/programs.ts';

const run = promisify(execFile);
const FOLDER = path.resolve('examples/python-worker');
/** The cases need a short lease, which a worker loses on a busy machine, so they do not run with the suite. */
const PROVE = process.env['PROVE'] === '1';
const STORM_SECONDS = 600;

/** The commands of the README, without the installation. */
function commands(): string[] {
  const [, block] = /```sh\n([\s\S]*?)```/.exec(readFileSync(path.join(FOLDER, 'README.md'), 'utf8'))!;
  return block!.trim().split('\n');
}

describeWith('python3', 'the worker in Python', () => {
  it('runs the example workflows with the three commands of its README', async () => {
    const { url, drop } = await freshDatabase();
    const [install, serve, demo, ...more] = commands();
    expect([install, more]).toEqual(['npm ci', []]);
    // The port is chosen by the system, and the database is the one of the test.
    const [, ...args] = serve!.replace(/ *&$/, '').split(' ');
    const server = spawn(process.execPath, [...args, '--bind', '127.0.0.1:0'], {
      env: { ...process.env, DATABASE_URL: url },
    });
    onTestFinished(async () => {
      server.kill('SIGKILL');
      await drop();
    });
    let output = '';
    for (const stream of [server.stdout, server.stderr]) stream.on('data', (text) => (output += String(text)));
    await expect.poll(() => output, { timeout: 60_000 }).toMatch(/server is ready/);
    const [, address] = /"?url"?[=:"]+(http:\/\/[\d.:]+)/.exec(output)!;
    const [program, ...script] = demo!.split(' ');
    const { stdout } = await run(program!, script, { env: { ...process.env, TASKER_URL: address } });
    expect(stdout.match(/^\w+: \w+/gm)).toEqual([
      'linear_workflow: complete',
      'data_processing: complete',
      'conditional_approval: complete',
      'rows: complete',
    ]);
    expect(stdout).toContain("'step1_processed': True");
    expect(stdout).toContain('fetch_data (attempt 2)');
    expect(stdout).toMatch(/transform_data .*'value': 20.*'value': 42/);
    expect(stdout).toContain('finance_review (attempt 1)');
    expect(stdout).not.toContain('auto_approve');
    expect(stdout).toMatch(/total .*'rows': 450/);
    server.kill('SIGTERM');
    await once(server, 'exit');
  });

  // Does not use it.runIf, because the options of the suite would override it.
  if (PROVE)
    it(
      'conforms to the protocol while responses are lost and programs are killed',
      async () => {
        const { url, drop } = await freshDatabase();
        onTestFinished(drop);
        const worker = ['python3', 'examples/python-worker/worker.py', 'conformance_handlers'];
        const options = ['--database-url', url, '--storm', String(STORM_SECONDS)];
        const { stdout } = await run(process.execPath, [
          'scripts/conformance/conformance.mjs',
          ...options,
          '--',
          ...worker,
        ]).catch((error: { stdout: string; stderr: string }) => error);
        expect(stdout.split('\n').filter((line) => !line.startsWith('ok  '))).toEqual(['the worker conforms', '']);
      },
      (STORM_SECONDS + 400) * 1000,
    );
});
