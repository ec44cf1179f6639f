import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { HeartbeatConnection } from '../../engine/heartbeat-connection.ts';
import { messageOf } from '../../errors.ts';
import type { GuardNews, GuardOrder, GuardSetup } from './heartbeat-thread.ts';
import { SharedLoopState, sharedNow } from './loop-watch.ts';

// The program of HeartbeatThread's thread. What it needs of the driver is loaded when it is first needed, or when its worker
// has lived for a while: a worker that lives for a moment does not pay for it.

const { reach, leaseMs, boundMs, memory: buffer, form } = workerData as GuardSetup;
const memory = new SharedLoopState(buffer);
const LOAD_AFTER_MS = Math.min(5_000, leaseMs / 10);
/** A loop that turns beats every third of a lease; this is after a beat was missed, and with time for another. */
const DUE_AFTER_MS = leaseMs * 0.4;
const LOOK_EVERY_MS = Math.min(500, Math.max(10, leaseMs / 20));
/** What is worth a warning while it lasts. */
const BLOCKED_MS = 1_000;

let ids: readonly number[] = [];
let line: HeartbeatConnection | undefined;
let looking: Promise<void> | undefined;
let gaveUp = false;
let named = false;

const load = () => import('../../engine/heartbeat-connection.ts');
const tell = (news: GuardNews) => parentPort!.postMessage(news);

async function look(): Promise<void> {
  const { silentMs } = memory;
  if (silentMs > boundMs) return giveUp(silentMs);
  gaveUp = false;
  // A loop that turns beats by itself, or its worker's database is away.
  if (silentMs < DUE_AFTER_MS / 2 || sharedNow() - memory.provenAt < DUE_AFTER_MS || ids.length === 0) return;
  const asked = ids;
  try {
    line ??= (await load()).openHeartbeatConnection(reach);
    const sentAt = sharedNow();
    const { alive } = await line.heartbeat(asked, leaseMs);
    if (asked.some((id) => !alive.includes(id)))
      ids = []; // dead: the loop finds that out by itself, and what to do
    else {
      if (sharedNow() - memory.provenAt >= leaseMs) memory.cameBack(sentAt);
      memory.proven(sentAt);
    }
  } catch (error) {
    tell({
      level: 'debug',
      fields: { error: messageOf(error) },
      message: 'a heartbeat beside the blocked event loop did not get through',
    });
  }
}

/**
 * Names the handler that has the loop, once a block: it may never give it back, and then nobody else will say so. The
 * loop writes nothing meanwhile, so the line goes to standard error from here, if the worker's lines go there at all.
 */
async function name(silentMs: number): Promise<void> {
  if (silentMs < BLOCKED_MS) named = false;
  if (named || silentMs < BLOCKED_MS || !Number.isFinite(silentMs) || form === undefined) return;
  named = true;
  const { consoleLogger } = await import('../../logging/console-logger.ts');
  const { step, silentMs: now } = memory;
  if (now < BLOCKED_MS) return;
  const logger = consoleLogger({ level: 'warn', form, write: (line) => void writeSync(2, `${line}\n`) });
  const blocked_ms = Math.round(now);
  const by = step && { task_uuid: step.taskUuid, step: step.step, handler: step.handler };
  logger
    .child({ module: 'worker' })
    .warn(
      { ...by, blocked_ms },
      step
        ? `handler ${step.handler} blocks the event loop, for ${blocked_ms} ms so far: nothing else of this process runs meanwhile`
        : `the event loop is blocked, for ${blocked_ms} ms so far, by a handler that computes after it has waited, or by other code of this process`,
    );
}

function giveUp(silentMs: number): void {
  if (gaveUp || !Number.isFinite(silentMs)) return;
  gaveUp = true;
  tell({
    level: 'warn',
    fields: { blocked_ms: Math.round(silentMs), bound_ms: boundMs },
    message: 'the event loop was blocked for longer than blockedLoopBoundMs: the lease was left to run out',
  });
}

const timer = setInterval(() => {
  name(memory.silentMs).catch((error: unknown) =>
    tell({ level: 'debug', fields: { error: messageOf(error) }, message: 'a blocked event loop could not be named' }),
  );
  looking ??= look().finally(() => {
    looking = undefined;
  });
}, LOOK_EVERY_MS);
const loading = setTimeout(() => void load(), LOAD_AFTER_MS);

parentPort!.on('message', (order: GuardOrder) => {
  if ('ids' in order) ids = order.ids;
  else void stop();
});

async function stop(): Promise<void> {
  clearInterval(timer);
  clearTimeout(loading);
  await looking;
  await line?.close();
  parentPort!.close();
}
