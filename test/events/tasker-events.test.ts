import { describe, expect, it, onTestFinished } from 'vitest';
import { uuidV7 } from '../../src/model/ids.ts';
import { eventLog, writeEvents } from '../support/events/event-log.ts';

describe('tasker events', () => {
  it('are yielded in the order in which groups receive them, from a given time or from now on', async () => {
    const { tasker, sql, taskUuids } = await eventLog({ tasks: 2 });
    const [taskUuid, other] = taskUuids as [string, string];
    await writeEvents(sql, { taskUuid, name: 'a.before' }, { taskUuid: other, name: 'a.before' });
    const stop = new AbortController();
    const from = tasker.events.watch({ name: 'a.*', taskUuid, after: new Date(0), signal: stop.signal });
    expect((await from.next()).value).toMatchObject({ name: 'a.before', taskUuid });
    await writeEvents(
      sql,
      { taskUuid, name: 'b.now' },
      { taskUuid: other, name: 'a.now' },
      { taskUuid, name: 'a.now' },
    );
    expect((await from.next()).value).toMatchObject({ name: 'a.now', taskUuid });
    const next = from.next();
    stop.abort();
    expect(await next).toEqual({ value: undefined, done: true });
  });

  it('can be watched until the tasker stops, which ends the iteration', async () => {
    const { tasker, sql, taskUuids } = await eventLog();
    const watch = tasker.events.watch();
    let arrived = false;
    const first = watch.next().finally(() => {
      arrived = true;
    });
    // The watch begins with its first query, whose time is unknown. Therefore the test writes events until one arrives.
    const write = async () => {
      await writeEvents(sql, { taskUuid: taskUuids[0]! });
      return arrived;
    };
    await expect.poll(write).toBe(true);
    expect((await first).value).toMatchObject({ name: 'demo.done' });
    const next = (async () => {
      for await (const _ of watch);
      return 'over';
    })();
    await tasker.stop();
    expect(await next).toBe('over');
  });

  it('cannot be watched with an invalid filter, which is reported immediately', async () => {
    const { tasker } = await eventLog();
    onTestFinished(() => tasker.stop());
    const { events } = tasker;
    const wrong = { code: 'invalid_uuid', message: 'the task id is not a UUID: nonsense' };
    await expect(events.watch({ taskUuid: 'nonsense' }).next()).rejects.toMatchObject(wrong);
    await expect(events.watch({ taskUuid: '' }).next()).rejects.toMatchObject({ code: 'invalid_uuid' });
    await expect(events.watch({ name: '' }).next()).rejects.toThrow('an event pattern must not');
    await expect(events.watch({ after: 'noon' }).next()).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('are listed as dead deliveries only with a valid limit', async () => {
    const { tasker } = await eventLog();
    onTestFinished(() => tasker.stop());
    for (const limit of [-1, 0, 1.5, Number.NaN, 1_001]) {
      const message = `limit must be a whole number from 1 to 1000, got ${limit}`;
      await expect(tasker.events.dead({ limit })).rejects.toMatchObject({ code: 'bad_request', message });
    }
  });

  it('report missing events and groups with similar names', async () => {
    const { tasker } = await eventLog();
    await tasker.engine.events.joinGroup({ name: 'receipts', patterns: ['*'] });
    onTestFinished(() => tasker.stop());
    const { events } = tasker;
    const missing = { code: 'event_group_not_found', message: expect.stringContaining('did you mean receipts?') };
    await expect(events.group('recipts')).rejects.toMatchObject(missing);
    await expect(events.dead({ group: 'recipts' })).rejects.toMatchObject(missing);
    await expect(events.replay({ group: 'recipts' })).rejects.toMatchObject(missing);
    await expect(events.redeliver({ group: 'recipts' })).rejects.toMatchObject(missing);
    await expect(events.removeGroup('recipts')).rejects.toMatchObject(missing);
    await expect(events.get(uuidV7())).rejects.toMatchObject({ code: 'event_not_found' });
    await expect(events.envelope('recipts')).rejects.toMatchObject({ code: 'invalid_uuid' });
    const messageOfMissing = () => events.group('unlike').then(String, String);
    expect(await messageOfMissing()).toMatch(/; there is receipts$/);
    await tasker.engine.events.joinGroup({ name: 'audit', patterns: ['*'] });
    expect(await messageOfMissing()).toMatch(/; there are audit, receipts$/);
    await events.removeGroup('audit');
    await events.removeGroup('receipts');
    expect(await events.groups()).toEqual([]);
    expect(await messageOfMissing()).toMatch(/; no group exists yet; starting a subscriber or a sink creates one$/);
  });
});
