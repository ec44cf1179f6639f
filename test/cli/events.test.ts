import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { eventDead } from '../../src/cli/event/dead.ts';
import { eventReplay } from '../../src/cli/event/groups.ts';
import { uuidV7 } from '../../src/model/ids.ts';
import { freshDatabase } from '../support/database.ts';
import { writeEvents } from '../support/events/event-log.ts';
import { DEMO, template } from '../support/setup.ts';
import { installation, type Project } from './installation.ts';

const ME = uuidV7();
const HOLD = { leaseMs: 60_000 };
const NAMES = ['pay.begun', 'pay.done', 'pay.noted'];
const EVENT_IDS = NAMES.map(() => uuidV7());
const [BEGUN, DONE, NOTED] = EVENT_IDS as [string, string, string];

let place: Awaited<ReturnType<typeof installation>>;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let project: Project;
let tasker: Tasker;
let taskUuid: string;

beforeAll(async () => {
  [place, database] = await Promise.all([installation(), freshDatabase()]);
  project = await place.project('shop', { DATABASE_URL: database.url });
  tasker = await createTasker({ databaseUrl: database.url, templates: [template({ pay: [] })], worker: false });
  ({ taskUuid } = await tasker.createTask(DEMO));
  const log = tasker.engine.events;
  const receipts = await log.joinGroup({ name: 'receipts', patterns: ['pay.d*'] });
  await log.joinGroup({ name: 'audit', patterns: ['pay.*'] });
  await log.joinGroup({ name: 'audit', patterns: ['pay?*'] });
  const events = NAMES.map((name, i) => ({ taskUuid, name, eventId: EVENT_IDS[i]!, payload: { amount: i } }));
  await writeEvents(database.sql, ...events);
  await log.sequence();
  // The group `receipts` has finished its only event, whose delivery failed permanently.
  const taken = (await log.take(receipts, ME, HOLD))!;
  await log.finish(taken, { dead: taken.events.map(({ id }) => ({ id, taskUuid, error: 'the printer is on fire' })) });
});

afterAll(async () => {
  await tasker?.stop();
  await Promise.all([place?.remove(), database?.drop()]);
});

/** Runs several commands at the same time, because startup takes most of their time. */
const runAll = (...commands: string[][]) => Promise.all(commands.map((args) => project.run(['event', ...args])));

describe('tasker event', () => {
  it('event list filters by name, task and time, and returns pages', async () => {
    const filter = ['--name', 'pay.*', '--task', taskUuid, '--after', '2h'];
    const [page, chosen, older, wrong] = await runAll(
      ['list', '--limit', '2'],
      ['list', ...filter, '--before', DONE, '--json'],
      ['list', '--before', '1h', '--json'],
      ['list', '--after', 'last week'],
    );
    expect(page!.stdout.split('\n').slice(1, 3)).toEqual([NOTED, DONE].map((id) => expect.stringContaining(id)));
    expect(page!.stderr).toBe(`there may be more: --before ${DONE}\n`);
    expect(JSON.parse(chosen!.stdout)).toMatchObject([{ event_id: BEGUN, name: 'pay.begun', payload: { amount: 0 } }]);
    expect(JSON.parse(older!.stdout)).toEqual([]);
    expect([wrong!.code, wrong!.stderr]).toEqual([
      2,
      expect.stringContaining('an age, such as 90s, 15m, 2h, 24h30m or 7d, or today or yesterday'),
    ]);
  });

  it('event show prints the whole event, or reports that it does not exist', async () => {
    const [shown, whole, none] = await runAll(['show', DONE], ['show', DONE, '--json'], ['show', ME]);
    expect(shown!.stdout).toMatch(/^name +pay\.done \(version 1\.0\)$/m);
    expect(shown!.stdout).toMatch(/^step +pay, attempt 1$/m);
    expect(shown!.stdout).toContain('payload\n{\n  "amount": 1\n}');
    const payload = { payload: { amount: 1 }, execution_result: { success: true }, task_sequence_step: { task: {} } };
    const entry = JSON.parse(whole!.stdout);
    expect(entry).toMatchObject({ event_id: DONE, name: 'pay.done', payload: { amount: 1 } });
    expect(entry.envelope).toMatchObject({ event_id: DONE, event_name: 'pay.done', payload });
    expect([none!.code, none!.stderr]).toEqual([1, expect.stringContaining(`durable event ${ME} not found`)]);
  });

  it('event lag shows the lag of each group, as text and as JSON', async () => {
    const [groups, text, late, fine, unknown] = await runAll(
      ['groups', '--json'],
      ['groups'],
      ['lag', 'audit', '--max', '2', '--json'],
      ['lag', 'receipts', '--max', '2'],
      ['lag', 'recipts'],
    );
    expect(JSON.parse(groups!.stdout)).toMatchObject([
      {
        name: 'audit',
        patterns: ['pay.*', 'pay?*'],
        members: 2,
        members_differ: true,
        waiting: 3,
        retrying: 0,
        dead: 0,
      },
      { name: 'receipts', members: 1, members_differ: false, waiting: 0, seconds_behind: 0, dead: 1 },
    ]);
    expect(text!.stdout).toMatch(/^audit +pay\.\* pay\?\* +2 +3 /m);
    expect(text!.stderr).toBe(
      'the members of audit subscribe to different events, as during a rolling deployment; the group receives every event that any member subscribes to\n',
    );
    expect([late!.code, JSON.parse(late!.stdout)]).toMatchObject([1, [{ group: 'audit', waiting: 3 }]]);
    expect([fine!.code, fine!.stdout]).toEqual([0, expect.stringMatching(/^receipts +0 /m)]);
    expect([unknown!.code, unknown!.stderr]).toEqual([1, expect.stringContaining('did you mean receipts?')]);
  });

  it('event tail follows events until Ctrl-C and exits 0', async () => {
    const running = project.start(['event', 'tail', '--name', 'tail.*', '--json']);
    // The command shows events from its first poll on, which the test cannot see. Write events until it prints one.
    let printed = false;
    const until = running.until('tail.done').finally(() => {
      printed = true;
    });
    while (!printed) {
      await writeEvents(database.sql, { taskUuid, name: 'tail.done' }, { taskUuid, name: 'other.done' });
      await tasker.engine.announce.events();
      await Promise.race([until, new Promise((resolve) => setTimeout(resolve, 200))]);
    }
    running.process.kill('SIGINT');
    const { code, stdout } = await running.ended;
    expect(code).toBe(0);
    expect(stdout).not.toContain('other.done');
    expect(JSON.parse(stdout.split('\n')[0]!)).toMatchObject({ name: 'tail.done', task_uuid: taskUuid });
  });
});

describe('tasker event: dead deliveries and replay', () => {
  it('a destructive command fails if it cannot ask for confirmation, because there is no terminal', async () => {
    const options = { databaseUrl: database.url };
    const refused = (message: string) => ({ code: 'bad_request', message: expect.stringContaining(message) });
    const asked = eventDead('receipts', { ...options, discard: true });
    await expect(asked).rejects.toMatchObject(
      refused('Standard input is not a terminal, so the command cannot ask; pass --yes to confirm'),
    );
    const both = eventDead('receipts', { ...options, discard: true, redeliver: true });
    await expect(both).rejects.toMatchObject(refused('pass one of them'));
    const whose = eventDead(undefined, { ...options, redeliver: true, yes: true });
    await expect(whose).rejects.toMatchObject(refused('the name of the group is missing'));
    const some = eventDead('receipts', { ...options, redeliver: true, yes: true, limit: 5 });
    await expect(some).rejects.toMatchObject(refused('--limit only applies to the list; --redeliver acts on all dead'));
    const replay = eventReplay('receipts', options);
    await expect(replay).rejects.toMatchObject(
      refused('deliver 1 event to receipts again? Standard input is not a terminal'),
    );
  });

  it('event dead rejects --limit with --discard, and event tail rejects an invalid task id', async () => {
    const [some, none, tail] = await runAll(
      ['dead', 'receipts', '--discard', '--limit', '5', '--yes'],
      ['dead', 'receipts', '--limit', '5', '--json'],
      ['tail', '--task', 'nonsense'],
    );
    expect(some!.code).not.toBe(0);
    expect(some!.stderr).toContain(
      '--limit only applies to the list; --discard acts on all dead deliveries of the group',
    );
    expect(JSON.parse(none!.stdout)).toHaveLength(1);
    expect(tail!.code).not.toBe(0);
    expect(tail!.stderr).toContain('the task id is not a UUID: nonsense');
  });

  it('event dead lists, redelivers and discards dead deliveries', async () => {
    const [table, json, nothing] = await runAll(
      ['dead'],
      ['dead', 'receipts', '--json'],
      ['dead', 'receipts', '--discard', '--event', NOTED, '--yes', '--json'],
    );
    const row = new RegExp(`^receipts +${DONE} +pay\\.done +1 .*the printer is on fire$`, 'm');
    expect(table!.stdout).toMatch(row);
    const dead = { group: 'receipts', attempts: 1, error: 'the printer is on fire', event: { event_id: DONE } };
    expect(JSON.parse(json!.stdout)).toMatchObject([dead]);
    expect(JSON.parse(nothing!.stdout)).toEqual({ group: 'receipts', discarded: 0 });
    const again = await project.run(['event', 'dead', 'receipts', '--redeliver', '--yes']);
    expect(again).toMatchObject({ code: 0, stdout: '1 dead delivery of receipts will be delivered again\n' });
    expect(await tasker.events.group('receipts')).toMatchObject({ retrying: 1, dead: 0 });
  });

  it('event replay prints the number of events and delivers them again', async () => {
    const chosen = ['replay', 'receipts', '--name', '*.done', '--after', '1h'];
    const [dry, none] = await runAll([...chosen, '--dry-run'], ['replay', 'receits', '--yes']);
    expect(dry).toMatchObject({ code: 0, stdout: '1 event would be delivered to receipts again\n' });
    expect([none!.code, none!.stderr]).toEqual([1, expect.stringContaining('did you mean receipts?')]);
    const log = tasker.engine.events;
    const receipts = await log.joinGroup({ name: 'receipts', patterns: ['pay.d*'] });
    await log.finishRetries(receipts, ME, { delivered: await log.takeRetries(receipts, ME, HOLD) });
    expect(await project.json(['event', ...chosen, '--yes'])).toEqual({ group: 'receipts', replayed: 1 });
    expect(await log.takeRetries(receipts, ME, HOLD)).toMatchObject([{ name: 'pay.done', replayed: true }]);
  });

  it('event remove removes an unused group', async () => {
    const removed = await project.run(['event', 'remove', 'audit', '--yes']);
    expect(removed).toMatchObject({ code: 0, stdout: 'removed audit\n' });
    expect((await tasker.events.groups()).map(({ name }) => name)).toEqual(['receipts']);
  });
});
