import type { Database } from '../../db/database.ts';
import { EVENT_PARTS } from '../../store/events/groups.ts';
import { forgetDead, forgetEvents, lockGroups } from '../../store/events/retention.ts';
import { LONG_RUNNING } from './settings.ts';

/** Lists that are looked at in one transaction, which holds up whoever asks for a replay. */
const LISTS_AT_ONCE = 200;

/** Forgets what is older and has been delivered, in portions; two at once are fine, and one that dies half-way is continued. */
export async function forgetOldEvents(database: Database, retentionMs: number): Promise<number> {
  // Whoever redelivers or discards all of a group meets it at the group, not at one dead letter and another.
  await database.pipeline(LONG_RUNNING, (tx) => Promise.all([lockGroups(tx), forgetDead(tx, retentionMs)]));
  let count = 0;
  for (let part = 0; part < EVENT_PARTS; part++) {
    for (let after = -1; ; ) {
      const portion = { part, after, retentionMs, limit: LISTS_AT_ONCE };
      const { events, far } = await database.pipeline(LONG_RUNNING, async (tx) => {
        const [, forgotten] = await Promise.all([lockGroups(tx), forgetEvents(tx, portion)]);
        return forgotten;
      });
      count += events;
      if (far === null) break;
      after = far;
    }
  }
  return count;
}
