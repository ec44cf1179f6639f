// A worker process for templates with decisions, batches and checkpoints, which tests kill. The process accepts the
// command `stop MS` on standard input, and exits on its own after it stops.
import { createInterface } from 'node:readline';
import { createTasker, defineHandler, silentLogger } from '../../../dist/bundle/index.js';

const { journal: _, ...options } = JSON.parse(process.argv[2]);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const dies = () => process.kill(process.pid, 'SIGKILL');

const plain = defineHandler('plain', {}, async ({ context }) => {
  await pause(Number(context.getInput('ms') ?? 0));
  return { by: context.event.workflowStep.name };
});

const route = defineHandler('route', {}, ({ context }) => ({
  decision_point_outcome: { type: 'create_steps', step_names: context.getInput('branches') },
}));

/** Divides `rows` into `parts` batches. */
const cut = defineHandler('cut', {}, ({ context }) => {
  const [rows, parts] = [Number(context.getInput('rows')), Number(context.getInput('parts'))];
  const size = Math.ceil(rows / parts);
  const configs = Array.from({ length: parts }, (_, i) => ({
    batch_id: String(i).padStart(4, '0'),
    start_cursor: Math.min(rows, i * size),
    end_cursor: Math.min(rows, (i + 1) * size),
  }));
  return { batch_processing_outcome: { type: 'create_batches', cursor_configs: configs } };
});

/** Writes the rows of its batch in several transactions, each with its position. */
const copy = defineHandler('copy', {}, async ({ context }) => {
  const { end_cursor: end } = context.stepInputs.cursor;
  const atOnce = Number(context.getInput('at_once'));
  for (let done = false; !done; ) {
    await context.transaction(async (tx, cursor) => {
      const next = Math.min(end, cursor + atOnce);
      await tx.query('insert into copied (id) select generate_series($1::int, $2::int - 1)', [cursor, next]);
      await pause(Number(context.getInput('ms')));
      done = next === end;
      return next;
    });
  }
  return { pid: process.pid };
});

const total = defineHandler('total', {}, ({ context }) => ({
  workers: context.getDependencyResultKeys().filter((name) => name.startsWith('copy_')).length,
}));

/** Kills its process after each checkpoint, as many times as the task requests, and then succeeds. */
const saveAndDie = defineHandler('save_and_die', {}, async ({ context }) => {
  const saved = Number(context.checkpointCursor ?? 0);
  if (saved === Number(context.getInput('times'))) return { saved, attempt: context.attempt };
  await context.checkpoint({ cursor: saved + 1 });
  dies();
  await new Promise(() => undefined);
});

/** Saves one checkpoint, and then kills its process in every attempt without progress. */
const stuck = defineHandler('stuck', {}, async ({ context }) => {
  if (!context.hasCheckpoint()) await context.checkpoint({ cursor: 1 });
  dies();
  await new Promise(() => undefined);
});

const handlers = [plain, route, cut, copy, total, saveAndDie, stuck];
const tasker = await createTasker({ namespaces: ['test'], handlers, logger: silentLogger, ...options });
process.stdout.write('ready\n');
const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  await tasker.stop({ drainTimeoutMs: Number(line.split(' ')[1]) });
  lines.close();
  process.stdin.destroy();
});
