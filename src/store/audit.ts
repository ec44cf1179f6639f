import type { Db } from '../db/statement.ts';
import type { Operator } from './operate.ts';
import { sql } from './sql.ts';

const NOTE_ACT = sql('note_act')`
insert into tasker.operator_action (action, task_uuid, idx, target, from_state, to_state, details, actor, reason, door, bulk_id)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`;

/** An act for the audit. It is on a task, on a step of it, or on the `target`. */
export interface Act {
  action: string;
  taskUuid?: string;
  idx?: number;
  /** Such as `template shop/fulfil@1.0.0`, `namespace shop` or `worker w1`. */
  target?: string;
  fromState?: string;
  toState?: string;
  /** JSON text. */
  details?: string;
}

/** Writes an act to the audit. Call it in the transaction of the act. */
export async function noteAct(db: Db, act: Act, { actor, reason, door, bulkId }: Operator): Promise<void> {
  const { action, taskUuid, idx, target, fromState, toState, details } = act;
  const object = [action, taskUuid ?? null, idx ?? null, target ?? null];
  const states = [fromState ?? null, toState ?? null, details ?? null];
  await db.query(NOTE_ACT, [...object, ...states, actor, reason, door, bulkId]);
}
