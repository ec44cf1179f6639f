import { DEFAULTS } from '../config/defaults.ts';
import type { AdoptedStepRow, RecordAnswer } from '../engine/engine.ts';
import { moduleLogger } from '../logging/module-logger.ts';
import type { AttemptEnd } from './attempt-end.ts';
import { Deadlines } from './deadlines.ts';
import { type ChannelHost, DispatchChannel } from './dispatch-channel.ts';
import type { DispatchedStep, StepHost } from './dispatched-step.ts';
import { HeldSteps } from './held-steps.ts';
import { Hydration } from './hydration.ts';
import { Lease } from './lease/lease.ts';
import type { LoopWatch } from './lease/loop-watch.ts';
import { ActiveRegistries, MissingHandlers } from './missing-handlers.ts';
import { Publishing } from './publishing.ts';
import { OutageReport, QueuePoller } from './queue-poller.ts';
import { Recorder, type Reserved } from './recorder.ts';
import { Slots, Stopping } from './slots.ts';
import { stepEvent } from './step-event.ts';
import { stepProgress } from './step-progress.ts';
import { StepTraces } from './step-traces.ts';
import { TaskCache } from './task-cache.ts';
import { Isolation } from './threads/isolation.ts';
import { UnreadableTemplates } from './unreadable-templates.ts';
import { WorkerCounts } from './worker-counts.ts';
import type { WorkerOptions } from './worker-options.ts';

/** The rank of the lowest priority (minus the priority). */
export const LOWEST_RANK = 100;
/** Maximum poll interval when steps are handed out, because readers learn of an outage within 5 s. */
const HANDED_OUT_POLL_MS = 2_000;

/** The parts of a worker. */
export type WorkerParts = ReturnType<typeof workerParts>;

/** What the parts of a worker call on it. */
export interface WorkerHooks extends ChannelHost {
  /** The queue may hold work. */
  wake(): void;
  /** Steps of an unanswered claim turned out to be held by this worker. */
  adopt(rows: readonly AdoptedStepRow[]): void;
  /** The namespaces that are served. */
  namespaceIds(): readonly number[];
  /** The queue was polled. */
  polled(): void;
  /** The handler of a step that had none is here now. */
  run(step: DispatchedStep): void;
  /** A handler did not settle in time. */
  timedOut(step: DispatchedStep): void;
  /** The end of an attempt goes to the recorder. */
  push(end: AttemptEnd): void;
  /** Reserves slots for the children of a batch. */
  reserve(batch: readonly AttemptEnd[]): Reserved;
  /** Slots that were reserved are free. */
  release(own: Reserved): void;
  recorded(batch: readonly AttemptEnd[], accepted: readonly AttemptEnd[], answer: RecordAnswer, own: Reserved): void;
}

/** Makes the parts of a worker and connects them. */
export function workerParts(options: WorkerOptions, worker: WorkerHooks) {
  const { engine, logger, name, leaseMs } = options;
  const steps = new Set<DispatchedStep>();
  const cache = new TaskCache();
  const slots = new Slots(options.concurrency, cache);
  const stopping = new Stopping();
  const registries = new ActiveRegistries(options.registry);
  const traces = options.tracing && new StepTraces(options.tracing);
  const deadlines = new Deadlines({
    held: steps,
    handlerTimeoutMs: options.handlerTimeoutMs,
    expired: (step) => worker.timedOut(step),
  });
  const isolation = new Isolation(deadlines, { threads: options.threads, memoryMb: options.threadMemoryMb });
  const counts = new WorkerCounts(engine.database.metrics);
  const lease = new Lease(
    { ...options, running: steps, callables: () => registries.announcement },
    {
      lost: (ids) => held.lost(ids),
      adopt: (rows) => worker.adopt(rows),
      swept: () => worker.wake(),
      blocked: (step) => counts.blocked(step),
    },
  );
  const channel = options.handOut
    ? new DispatchChannel(worker, { name, leaseMs, slots, deadlines, logger })
    : undefined;
  const publishing = new Publishing({
    worker: name,
    publishers: options.publishers,
    bus: options.eventBus,
    metrics: engine.database.metrics,
    logger: moduleLogger(logger, 'events'),
  });
  const recorder = recorderOf(options, worker, { publishing, lease });
  const missing = new MissingHandlers(
    {
      engine,
      registries,
      workerId: () => lease.incarnation.id,
      graceMs: options.missingGraceMs,
      excludeForMs: leaseMs,
      run: (step) => worker.run(step),
      end: (end) => worker.push(end),
    },
    logger,
  );
  const { incarnation, loop } = lease;
  const host = stepHost(options, { cache, deadlines, isolation, counts, loop, traces });
  const held = new HeldSteps(steps, {
    host,
    engine,
    cache,
    incarnation,
    deadlines,
    missing,
    isolation,
    channel,
    traces,
    logger,
  });
  const hydration = new Hydration({ engine, cache, slots, stopping, logger });
  const unreadable = new UnreadableTemplates(engine, () => options.onWorkLeft(0), logger);
  const outage = channel && new OutageReport((error) => channel.failed(error));
  const queuePoller = pollerOf(options, worker, { slots, outage });
  if (channel) slots.resize(channel.slots);
  counts.observe(() => ({
    tasks: new Set([...steps].map((step) => step.task)).size,
    running: slots.running,
    unrecorded: publishing.pending + recorder.pending,
    slots: slots.capacity,
    lagMs: loop.stats.lagMs,
    threads: isolation.stats,
  }));
  // biome-ignore format: one line is easier to compare with the names above
  return {
    cache, slots, stopping, registries, traces, deadlines, isolation, counts, lease, channel, publishing, recorder,
    missing, held, hydration, unreadable, outage, queuePoller,
  };
}

function recorderOf(
  { engine, logger }: WorkerOptions,
  worker: WorkerHooks,
  { publishing, lease }: { publishing: Publishing; lease: Lease },
): Recorder {
  return new Recorder(
    engine,
    {
      reserve: (batch) => worker.reserve(batch),
      recorded: (batch, accepted, answer, own) => worker.recorded(batch, accepted, answer, own),
      doubt: (own) => {
        worker.release(own);
        lease.unanswered.add(own.token);
      },
      release: (own) => worker.release(own),
      withoutEvents: (end, refusal) => publishing.withoutStored(end, refusal),
    },
    logger,
  );
}

function pollerOf(
  { engine, logger, leaseMs, handOut, pollMs, onWorkLeft }: WorkerOptions,
  worker: WorkerHooks,
  { slots, outage }: { slots: Slots; outage: OutageReport | undefined },
): QueuePoller {
  return new QueuePoller(
    engine,
    {
      namespaceIds: () => worker.namespaceIds(),
      everyMs: () => (handOut ? Math.min(pollMs(), HANDED_OUT_POLL_MS) : pollMs()),
      timeoutMs: leaseMs / 3,
      outage,
      ready: () => {
        worker.wake();
        // Without room here, other workers must be notified.
        if (slots.free <= 0) onWorkLeft(LOWEST_RANK);
      },
      polled: () => worker.polled(),
    },
    logger,
  );
}

/** What steps call while they run. */
function stepHost(
  { engine, logger }: WorkerOptions,
  parts: Pick<WorkerParts, 'cache' | 'deadlines' | 'isolation' | 'counts' | 'traces'> & { loop: LoopWatch },
): StepHost {
  const { cache, deadlines, isolation, counts, loop, traces } = parts;
  const most = DEFAULTS.dependencyBytes;
  return {
    logger: moduleLogger(logger, 'handlers'),
    event: stepEvent,
    ...stepProgress(engine, deadlines),
    begins: (step) => {
      if (!step.started) counts.begun(step);
      traces?.begun(step);
      step.lazy = !cache.surelyWithin(step, most) && cache.sizeFor(step) > most;
    },
    isolated: (step, handler) => isolation.handlerFor(step, handler),
    calls: (step) => loop.calls(step),
    called: (step, from) => loop.called(step, from),
    within: traces && ((step, call) => traces.run(step, call)),
  };
}
