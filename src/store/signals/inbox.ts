import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/** Notifies processes of signals in the inbox. No payload. Sent with the transaction of the sender. */
export const CHANNEL_SIGNALS = 'tasker_signals';

const PUT_IN_INBOX = sql('put_in_signal_inbox')`
with x as (
  insert into tasker.signal_inbox (id, target, name, key, payload, sender) 
  values ($1::uuid, $2::jsonb, $3::text, $4::text, $5::jsonb, $6::text) returning 1)
select pg_notify('${CHANNEL_SIGNALS}', '') from x`;

/** A signal in the inbox. */
export interface InboxSignal {
  signalId: string;
  /** JSON text. */
  target: string;
  name: string;
  key: string | null;
  /** JSON text. */
  payload: string;
  by: string | null;
}

/** Puts a signal into the inbox. `db`: the transaction of the caller. */
export async function putInInbox(db: Db, { signalId, target, name, key, payload, by }: InboxSignal): Promise<void> {
  await db.query(PUT_IN_INBOX, [signalId, target, name, key, payload, by]);
}

const COLUMNS = `x.seq::float8 seq, x.id "signalId", x.target, x.name, x.key, x.payload, x.sender "by", x.tries`;

/** A signal in the inbox, with its position. */
export interface InboxRow extends InboxSignal {
  seq: number;
  /** Number of attempts that ended in a database error. */
  tries: number;
}

const READ_INBOX = sql('read_signal_inbox')`
select x.seq::float8 seq from tasker.signal_inbox x
 where x.done_at is null and x.seq > $1 and (x.retry_at is null or x.retry_at <= now()) order by x.seq limit $2`;

/** Returns the positions of open rows of the inbox after a position, in the order of their arrival. */
export async function readInbox(db: Db, after: number, limit: number): Promise<number[]> {
  return (await db.query<{ seq: number }>(READ_INBOX, [after, limit])).rows.map((row) => row.seq);
}

// Each row is read individually, because payloads are large: a hundred of them could take 100 MB.
const READ_INBOX_ROW = sql('read_signal_inbox_row')`
select ${COLUMNS} from tasker.signal_inbox x where x.seq = $1 and x.done_at is null`;

/** Returns an open row of the inbox. Undefined if it is done. */
export async function readInboxRow(db: Db, seq: number): Promise<InboxRow | undefined> {
  return (await db.query<InboxRow>(READ_INBOX_ROW, [seq])).rows[0];
}

const LOCK_INBOX = sql('lock_signal_inbox')`
select 1 from tasker.signal_inbox where seq = $1 and done_at is null for update skip locked`;

/** Locks a row of the inbox. Returns false if it is done, or another process has it. */
export async function lockInbox(db: Db, seq: number): Promise<boolean> {
  return (await db.query(LOCK_INBOX, [seq])).rows.length > 0;
}

const SETTLE_INBOX = sql('settle_signal_inbox')`
update tasker.signal_inbox set done_at = statement_timestamp(), outcome = $2, payload = case when $3 then payload else 'null' end
 where seq = $1 and done_at is null returning 1`;

/**
 * Stores the outcome of a signal in the inbox. Returns false if another process has done so. `keep`: whether its
 * payload stays, because no task has it.
 */
export async function settleInbox(
  db: Db,
  { seq, outcome, keep }: { seq: number; outcome: string; keep: boolean },
): Promise<boolean> {
  return (await db.query(SETTLE_INBOX, [seq, outcome, keep])).rows.length > 0;
}

const POSTPONE_INBOX = sql('postpone_signal_inbox')`
update tasker.signal_inbox set tries = tries + 1, retry_at = now() + least(60000, 250 * 2 ^ least(tries, 10)) * interval '1 ms'
 where seq = $1 and done_at is null`;

/** Postpones a signal that could not be used because of a database error. */
export async function postponeInbox(db: Db, seq: number): Promise<void> {
  await db.query(POSTPONE_INBOX, [seq]);
}

const FIND_IN_INBOX = sql('find_in_signal_inbox')`
select ${COLUMNS}, tasker.iso(x.sent_at) "sentAt", tasker.iso(x.done_at) "doneAt", x.outcome
  from tasker.signal_inbox x where x.id = $1`;

/** A signal in the inbox with its outcome. */
export interface FoundInboxRow extends InboxRow {
  sentAt: string;
  doneAt: string | null;
  /** JSON text. */
  outcome: string | null;
}

/** Returns a signal of the inbox. */
export async function findInInbox(db: Db, signalId: string): Promise<FoundInboxRow | undefined> {
  return (await db.query<FoundInboxRow>(FIND_IN_INBOX, [signalId])).rows[0];
}

const FORGET_INBOX = sql('forget_signal_inbox')`
with gone as (
  delete from tasker.signal_inbox where seq = any (array(
    select seq from tasker.signal_inbox where done_at < now() - $1 * interval '1 ms' order by done_at limit $2)) returning 1)
select count(*)::int gone from gone`;

/** Deletes the rows of signals that were used or rejected longer ago than `retentionMs`, at most `limit`. */
export async function forgetInbox(
  db: Db,
  { retentionMs, limit }: { retentionMs: number; limit: number },
): Promise<number> {
  return (await db.query<{ gone: number }>(FORGET_INBOX, [retentionMs, limit])).rows[0]!.gone;
}
