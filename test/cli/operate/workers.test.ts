import { expect, it } from 'vitest';
import { PAIR, PAIR_HANDLERS, projectOnDatabase } from '../installation.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR, 'handlers/pair.js': PAIR_HANDLERS });

interface Worker {
  id: number;
  name: string;
  state: string;
  pid: number;
}

it('a worker of another process is listed, drained and resumed, and claims steps only after it is resumed', async () => {
  const running = on.project.start(['worker', '--name', 'w1']);
  await running.until('worker is ready');
  const [worker] = await on.project.json<Worker[]>(['worker', 'list']);
  expect(worker).toMatchObject({ name: 'w1', state: 'running', pid: running.process.pid });

  const drain = await on.project.run(['worker', 'drain', 'w1', '--wait', '--by', 'ada', '--reason', 'new kernel']);
  expect([drain.code, drain.stderr]).toEqual([
    0,
    expect.stringMatching(
      /^w1 is drained: it no longer holds steps\nno other live worker takes steps of \w+: its steps wait/,
    ),
  ]);
  await running.until('drained: this worker no longer holds steps');
  const shown = await on.project.run(['worker', 'show', 'w1']);
  expect(shown.stdout).toMatch(/^state +drained, asked by ada .* ago: new kernel$/m);
  expect(shown.stdout).toMatch(/^slots +0 of 100 taken$/m);

  const task = await on.project.create('pair', '-i', '{"lucky":true}');
  const queue = await on.project.run(['queue']);
  expect(queue.code).toBe(0);
  expect(queue.stdout).toMatch(/^demo +[12] +.* none \(1 draining\)$/m);
  expect(queue.stdout).toMatch(/its workers are draining$/m);

  expect((await on.project.run(['worker', 'resume', 'w1'])).stderr).toBe('w1 takes steps again\n');
  expect((await on.project.run(['task', 'watch', task])).code).toBe(0);

  running.process.kill('SIGTERM');
  await running.ended;
  expect(await on.project.json(['worker', 'list', '--state', 'stopped', '-n', 'demo'])).toMatchObject([
    { id: worker!.id, state: 'stopped' },
  ]);
  const gone = await on.project.run(['worker', 'drain', 'w1']);
  expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('worker w1 has stopped; it takes no steps')]);
});

it('an unknown subcommand, option or namespace exits 2, and an unknown worker exits 1', async () => {
  for (const [args, says] of [
    [['worker', 'lits'], 'unknown command worker lits; `tasker worker` runs a worker, and its other commands are list'],
    [['worker', 'list', '--concurrency', '3'], "unknown option '--concurrency'"],
    [['worker', '--name', 'w1', 'list'], "unknown option '--name'"],
    [['worker', 'drain'], "missing required argument 'worker'"],
    [['queue', 'nowhere'], 'namespace nowhere not found'],
  ] as const) {
    const { code, stderr } = await on.project.run(args, { endsEarly: true });
    expect([code, stderr]).toEqual([2, expect.stringContaining(says)]);
  }
  const unknown = await on.project.run(['worker', 'show', 'nobody']);
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('worker nobody not found; ')]);
});
