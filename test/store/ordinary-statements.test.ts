import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const PRINTS = path.resolve('test/support/suite/print-statements.mjs');

/** The statements that tasks of ordinary templates run: no waits, no batches, and every handler is there. */
const ORDINARY = [
  'create_tasks',
  'claim_steps',
  'claim_steps_of_several',
  'load_results',
  'lock_tasks',
  'record_steps',
  'record_steps_dynamic',
  'record_steps_events',
  'record_steps_dynamic_events',
  'peek',
  'heartbeat',
  'promote_retries',
  'due_tasks',
  'task_states',
];

// `npm run test:one -- test/store/ordinary-statements -u` accepts a change of these statements.
it('the statements that ordinary tasks run are those in the snapshot', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [PRINTS], { maxBuffer: 2 ** 26 });
  const printed = JSON.parse(stdout) as { name: string; text: string }[];
  const lines = ORDINARY.map((name) => {
    const { text } = printed.find((statement) => statement.name === name)!;
    return `${name} ${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
  });
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('ordinary-statements.txt');
});
