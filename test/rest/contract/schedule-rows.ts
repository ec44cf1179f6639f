import { createApiKey } from '../../../src/app/credentials/api-keys.ts';
import type { World } from '../../support/rest/world.ts';
import { ACT, type Row, type Table } from './row.ts';

/** Requests for schedules. */
export async function scheduleRows({ tasker }: World): Promise<Table> {
  const settings = { template: 'test/slow@1.0.0', every: '1h' };
  const request = { name: 'schedules_of_others', permissions: ['schedules:write'], namespaces: ['elsewhere'] };
  const { key } = await createApiKey(tasker, request, { actor: 'ana' });
  for (const name of ['night', 'old']) await tasker.schedules.create({ name, ...settings });
  const night = (body?: object): Row => ({ params: { name: 'night' }, ...(body && { body }) });
  const past = { from: '2020-01-01T00:00:00Z', to: '2020-01-01T02:00:00Z' };
  return {
    getSchedules: {
      ok: [{}, { query: 'state=active&limit=1' }],
      400: [{ query: 'state=odd' }],
    },
    postSchedules: {
      ok: [
        { body: { ...ACT, ...settings, name: 'hourly', description: 'each hour', context: { n: 1 }, tags: ['a'] } },
        { body: { name: 'daily', template: 'test/slow@latest', cron: '0 3 * * *', timezone: 'Europe/Vienna' } },
        { body: { ...settings, name: 'night', if_exists: 'keep' } },
        { body: { ...settings, name: 'still', paused: true } },
      ],
      400: [
        { body: { name: 'wrong' } },
        { body: { ...settings, name: 'wrong', every: 'often' } },
        { body: { ...settings, name: 'wrong', template: 'nothing' } },
        { body: { ...settings, name: 'wrong', odd: 1 } },
      ],
      404: [{ body: { ...settings, name: 'foreign' }, secured: true, headers: { 'x-api-key': key } }],
      409: [{ body: { ...settings, name: 'night' } }],
    },
    getSchedule: {
      ok: [night(), { ...night(), query: 'limit=1' }],
      400: [{ ...night(), query: 'before=never' }],
    },
    updateSchedule: {
      ok: [night({ ...ACT, description: 'changed', every: '2h' }), night({ description: null })],
      400: [night(ACT), night({ every: 'often' }), night({ name: 'other' })],
    },
    postSchedulePause: { ok: [night(ACT), night(ACT)], 400: [night({ by: 7 })] },
    postScheduleResume: { ok: [night(ACT), night(ACT)], 400: [night({ by: 7 })] },
    postScheduleTrigger: {
      ok: [
        night({ ...ACT, context: { n: 1 }, idempotency_key: 'one' }),
        { ...night({}), headers: { 'idempotency-key': 'two' } },
      ],
      400: [night({ context: [] })],
    },
    postScheduleBackfill: {
      ok: [night({ ...ACT, ...past, dry_run: true }), night({ ...ACT, ...past })],
      400: [night(ACT), night({ from: 'never', to: 'now' })],
    },
    deleteSchedule: {
      ok: [{ params: { name: 'old' }, body: ACT }],
      400: [{ params: { name: 'old' }, body: { by: 7 } }],
    },
  };
}
