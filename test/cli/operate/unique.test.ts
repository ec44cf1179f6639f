import { describe, expect, it } from 'vitest';
import { PAIR, PAIR_HANDLERS, projectOnDatabase } from '../installation.ts';

const templateOf = (answer: string) =>
  PAIR.replace('name: pair', `name: ${answer}\nunique: { key: context.customer, on_conflict: ${answer} }`);
const on = projectOnDatabase({
  ...Object.fromEntries(
    ['return', 'reject', 'replace_pending'].map((answer) => [`templates/${answer}.yaml`, templateOf(answer)]),
  ),
  'handlers/pair.js': PAIR_HANDLERS,
});

describe('task create of a template with one open task for each key', () => {
  it('reports the open task that it returns or replaces, and fails with the id of the one that stays', async () => {
    const run = (name: string, ...more: string[]) =>
      on.project.run(['task', 'create', name, '-i', '{"customer":"c-1"}', ...more]);
    const first = (await run('return')).stdout.trim();
    const again = await run('return');
    expect([again.code, again.stdout.trim()]).toEqual([0, first]);
    expect(again.stderr).toContain(`task ${first} with the same key is open (unique)`);
    const pending = (await run('replace_pending')).stdout.trim();
    const replacing = await run('replace_pending', '--json');
    expect(JSON.parse(replacing.stdout)).toMatchObject({ outcome: 'replaced', replaced_task_uuid: pending });
    expect(replacing.stderr).toContain(`task ${pending} with the same key was cancelled and replaced (unique)`);
    const open = (await run('reject')).stdout.trim();
    expect(await run('reject')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `error: a task of reject with the key "c-1" (unique) is open, in pending: ${open}; wait until that task has ended, or cancel it\n`,
    });
  });
});
