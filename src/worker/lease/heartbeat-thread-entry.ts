import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { HeartbeatConnection } from '../../engine/heartbeat-connection.ts';
import { messageOf } from '../../errors.ts';
import type { HeartbeatThreadSetup, MessageToThread, ThreadReport } from './heartbeat-thread.ts';
import { RATE_MS } from './load-report.ts';
import { SharedLoopState, sharedNow } from './loop-watch.ts';

// The program that HeartbeatThread starts. The database driver is loaded when a heartbeat is due, or before that after
// two leases, at most a minute. Short-lived workers therefore don't pay for it.

const { reach, leaseMs, boundMs, memory: buffer, form } = workerData as HeartbeatThreadSetup;
const memory = new SharedLoopState(buffer);
const LOAD_AFTER_MS = Math.min(60_000, 2 * leaseMs);
/**
 * A running event loop sends a heartbeat every third of a lease. This time is longer than that, but leaves time for
 * another heartbeat.
 */
const DUE_AFTER_MS = leaseMs * 0.4;
const LOOK_EVERY_MS = Math.min(500, Math.max(10, leaseMs / 20));
/** A block that lasts this long is logged. */
const BLOCKED_MS = 1_000;

let ids: readonly number[] = [];
let connection: HeartbeatConnection | undefined;
let beating: Promise<void> | undefined;
let gaveUp = false;
let named = false;

const load = () => import('../../engine/heartbeat-connection.ts');
const report = (what: ThreadReport) => parentPort!.postMessage(what);

async function beatIfDue(): Promise<void> {
  const { silentMs } = memory;
  if (silentMs > boundMs) return giveUp(silentMs);
  gaveUp = false;
  // Either the loop runs and sends heartbeats itself while the database is available, or the last heartbeat is recent
  // enough.
  if (silentMs < DUE_AFTER_MS / 2 || sharedNow() - memory.provenAt < DUE_AFTER_MS || ids.length === 0) return;
  const asked = ids;
  try {
    connection ??= (await load()).openHeartbeatConnection(reach);
    const sentAt = sharedNow();
    // While the loop is blocked, no outcome is recorded.
    const rates = silentMs < RATE_MS ? {} : { completedRate: 0, failedRate: 0 };
    const { alive } = await connection.heartbeat(asked, leaseMs, { loopLagMs: Math.round(silentMs), ...rates });
    if (asked.some((id) => !alive.includes(id)))
      ids = []; // declared dead: the worker detects this itself and registers again
    else {
      if (sharedNow() - memory.provenAt >= leaseMs) memory.cameBack(sentAt);
      memory.proven(sentAt);
    }
  } catch (error) {
    report({
      level: 'debug',
      fields: { error: messageOf(error) },
      message: 'heartbeat during a blocked event loop failed',
    });
  }
}

/**
 * Logs the handler that blocks the loop, once per block. This thread logs it, because the handler may never return. The
 * blocked loop cannot write, so the line goes directly to standard error, if the worker logs there.
 */
async function reportBlocked(silentMs: number): Promise<void> {
  if (silentMs < BLOCKED_MS) named = false;
  if (named || silentMs < BLOCKED_MS || !Number.isFinite(silentMs) || form === undefined) return;
  named = true;
  const { consoleLogger } = await import('../../logging/console-logger.ts');
  const { shownText } = await import('../../logging/terminal/shown-text.ts');
  const { step, silentMs: now } = memory;
  if (now < BLOCKED_MS) return;
  const logger = consoleLogger({ level: 'warn', form, write: (line) => void writeSync(2, `${shownText(line)}\n`) });
  const blocked_ms = Math.round(now);
  const by = step && { task_uuid: step.taskUuid, step: step.step, handler: step.handler };
  logger
    .child({ module: 'worker' })
    .warn(
      { ...by, blocked_ms },
      step
        ? `handler ${step.handler} has been blocking the event loop for ${blocked_ms} ms; nothing else in this process can run`
        : `the event loop has been blocked for ${blocked_ms} ms by a handler that computes after an await, or by other code in this process`,
    );
}

function giveUp(silentMs: number): void {
  if (gaveUp || !Number.isFinite(silentMs)) return;
  gaveUp = true;
  report({
    level: 'warn',
    fields: { blocked_ms: Math.round(silentMs), bound_ms: boundMs },
    message: 'the event loop was blocked for longer than blockedLoopBoundMs; heartbeats stop, so the lease expires',
  });
}

const timer = setInterval(() => {
  reportBlocked(memory.silentMs).catch((error: unknown) =>
    report({ level: 'debug', fields: { error: messageOf(error) }, message: 'reporting a blocked event loop failed' }),
  );
  beating ??= beatIfDue().finally(() => {
    beating = undefined;
  });
}, LOOK_EVERY_MS);
const loading = setTimeout(() => void load(), LOAD_AFTER_MS);

parentPort!.on('message', (message: MessageToThread) => {
  if ('ids' in message) ids = message.ids;
  else void stop();
});

async function stop(): Promise<void> {
  clearInterval(timer);
  clearTimeout(loading);
  await beating;
  await connection?.close();
  parentPort!.close();
}
