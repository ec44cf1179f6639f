import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { setup } from '../../support/setup.ts';

/** A folder of schedules, and a function that writes a file in it. */
async function folderOf(): Promise<{ folder: string; write(file: string, text: string): Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tasker-schedules-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return { folder, write: (file, text) => writeFile(path.join(folder, file), text) };
}

const daily = (hour: number, name = 'nightly') => `name: ${name}\ntemplate: test/demo@1.0.0\ncron: 0 ${hour} * * *\n`;

test('a start creates and updates the schedules of files, and pauses no schedule', async () => {
  const { folder, write } = await folderOf();
  await write('nightly.yaml', daily(2));
  const { tasker, another } = await setup({ schedules: folder, worker: false });
  expect(await tasker.schedules.get('nightly')).toMatchObject({ cron: '0 2 * * *', source: 'tasker-core' });
  await write('nightly.yaml', daily(3));
  await write('other.yml', daily(4, 'other'));
  await another();
  expect(await tasker.schedules.get('nightly')).toMatchObject({ cron: '0 3 * * *' });
  await rm(path.join(folder, 'other.yml'));
  await another();
  expect(await tasker.schedules.get('other')).toMatchObject({ state: 'active' });
});

test('an older program that starts after a newer one keeps the newer content, and apply restores the older content', async () => {
  const { folder, write } = await folderOf();
  await write('nightly.yaml', daily(2));
  const { tasker, another } = await setup({ schedules: folder, worker: false });
  await write('nightly.yaml', daily(3));
  await another();
  await write('nightly.yaml', daily(2));
  await another();
  expect(await tasker.schedules.get('nightly')).toMatchObject({ cron: '0 3 * * *' });
  expect(await tasker.schedules.apply(folder, { source: 'tasker-core' })).toMatchObject([{ change: 'updated' }]);
  expect(await tasker.schedules.get('nightly')).toMatchObject({ cron: '0 2 * * *' });
});

test('apply pauses the schedules of its source whose files are gone, and resumes them with their files', async () => {
  const { folder, write } = await folderOf();
  const { tasker } = await setup({ worker: false });
  await tasker.schedules.create({ name: 'by-hand', template: 'test/demo@1.0.0', every: '1h' });
  await write('a.yaml', daily(2, 'a'));
  await write('b.yaml', daily(2, 'b'));
  const apply = async (source: string) =>
    (await tasker.schedules.apply(folder, { source })).map(({ name, change }) => `${name} ${change}`).sort();
  expect(await apply('shop')).toEqual(['a created', 'b created']);
  expect(await apply('billing')).toEqual(['a foreign', 'b foreign']);
  await rm(path.join(folder, 'b.yaml'));
  expect(await apply('shop')).toEqual(['a unchanged', 'b paused']);
  expect(await tasker.schedules.get('b')).toMatchObject({ state: 'paused' });
  expect(await tasker.schedules.get('by-hand')).toMatchObject({ state: 'active', source: null });
  await write('b.yaml', daily(2, 'b'));
  expect(await apply('shop')).toEqual(['a unchanged', 'b resumed']);
  await write('c.yaml', daily(2, 'by-hand'));
  expect(await apply('shop')).toContain('by-hand foreign');
});

test('a start with invalid files fails with every error, and applies none of the files', async () => {
  const { folder, write } = await folderOf();
  const { tasker, another } = await setup({ worker: false });
  await write('a-good.yaml', daily(2, 'good'));
  await write('b.yaml', 'name: b\ntemplate: test/demo@1.0.0\ncron: 0 0 31 2 *\ncolor: red\n');
  await write(
    'c.yaml',
    'name: c\ntemplate: test/demo@1.0.0\nevery: -5s\ntimezone: Mars/Olympus\nend: 300000-01-01T00:00Z\n',
  );
  await write('d.yaml', daily(2, 'good'));
  await write('e.yaml', '');
  const error = await another({ schedules: folder }).then(
    () => undefined,
    (refused: Error & { code: string }) => refused,
  );
  expect(error).toMatchObject({ code: 'schedule_invalid' });
  for (const [place, text] of [
    ['b.yaml:3:7', 'it never matches'],
    ['b.yaml:4:1', 'unknown key `color`'],
    ['c.yaml:3:8', '`every` must be a duration'],
    ['c.yaml:4:11', '`Mars/Olympus` is not a known time zone'],
    ['c.yaml:5:6', 'until the year 9999'],
    ['d.yaml:1:1', 'a-good.yaml; rename one of them'],
    ['e.yaml:1:1', ''],
  ] as const) {
    const line = error!.message.split('\n').find((one) => one.includes(place) && one.includes(text));
    expect(line, `${place} ${text} in\n${error!.message}`).toBeDefined();
  }
  expect(await tasker.schedules.list()).toEqual([]);
});
