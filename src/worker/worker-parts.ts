import { moduleLogger } from '../logging/module-logger.ts';
import type { AttemptEnd } from './attempt-end.ts';
import { type ChannelHost, DispatchChannel } from './dispatch-channel.ts';
import type { DispatchedStep } from './dispatched-step.ts';
import { Draining, type DrainingOptions } from './draining.ts';
import { HeldSteps } from './held-steps.ts';
import { thresholdsOf } from './lease/dead-letter-looks.ts';
import { Lease, type LeaseEvents } from './lease/lease.ts';
import { Publishing } from './publishing.ts';
import { OutageReport, QueuePoller } from './queue-poller.ts';
import { Recorder, type RecorderEvents } from './recorder.ts';
import { Deadlines, Slots, Stopping } from './running-steps.ts';
import { StepLogWriter } from './step-log.ts';
import { StepReports } from './step-reports.ts';
import { StepTraces } from './step-traces.ts';
import { TaskCache } from './task-cache.ts';
import { Isolation } from './threads/isolation.ts';
import { ActiveRegistries, MissingHandlers, UnreadableTemplates } from './unrunnable-steps.ts';
import type { WorkerOptions } from './worker-options.ts';

/** The rank of the lowest priority (minus the priority). */
export const LOWEST_RANK = 100;
/** Maximum poll interval when steps are handed out, because an outage must be reported to readers within 5 s. */
const HANDED_OUT_POLL_MS = 2_000;

/** The parts of a worker. */
export type WorkerParts = ReturnType<typeof workerParts>;

/** Callbacks from the parts of a worker to the worker. */
export interface WorkerHooks extends ChannelHost, LeaseEvents, RecorderEvents {
  /** Called when the queue may hold work. */
  wake(): void;
  /** Ids of the namespaces that are served and have a template. */
  readonly namespaceIds: readonly number[];
  /** Whether a claim is in progress. */
  readonly claiming: boolean;
  /** Called when the queue was polled. */
  polled(): void;
  /** Called when the missing handler of a step is registered. */
  run(step: DispatchedStep): void;
  /** Called when a handler did not settle in time. */
  timedOut(step: DispatchedStep): void;
  /** Sends the end of an attempt to the recorder. */
  push(end: AttemptEnd): void;
}

/** Creates the parts of a worker and connects them. */
export function workerParts(options: WorkerOptions, worker: WorkerHooks) {
  const { engine, logger, name, leaseMs } = options;
  const { metrics } = engine.database;
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
  const reports = new StepReports(metrics, logger);
  const { stepLogs } = options;
  const logWriter = stepLogs === 'none' ? undefined : new StepLogWriter(engine, logger, stepLogs);
  const lease: Lease = new Lease(
    {
      ...options,
      thresholds: thresholdsOf(options),
      running: steps,
      callables: () => registries.announcement,
      // The readers of a channel may run any handler.
      announcesAll: () => !options.handOut && registries.announcesAll,
      load: () => ({ ...reports.counts, running: slots.running, hung: slots.hung, phase: draining.phase }),
      drain: (wanted) => draining.want(wanted),
    },
    worker,
  );
  const { incarnation, loop } = lease;
  const channel = options.handOut
    ? new DispatchChannel(worker, { name, leaseMs, slots, deadlines, logger })
    : undefined;
  const publishing = new Publishing({
    worker: name,
    parentOf: (id) => engine.parentOf(id),
    publishers: options.publishers,
    bus: options.eventBus,
    metrics,
    logger: moduleLogger(logger, 'events'),
  });
  const recorder = new Recorder(engine, worker, logger);
  const missing = new MissingHandlers(
    {
      engine,
      registries,
      workerId: () => incarnation.id,
      graceMs: options.handlerMissingGraceMs,
      waits: !options.handOut,
      excludeForMs: leaseMs,
      run: (step) => worker.run(step),
      end: (end) => worker.push(end),
    },
    logger,
  );
  const held = new HeldSteps({
    steps,
    engine,
    cache,
    slots,
    stopping,
    deadlines,
    isolation,
    reports,
    traces,
    incarnation,
    loop,
    missing,
    channel,
    logger,
    keepsLogs: logWriter !== undefined,
  });
  const unreadable = new UnreadableTemplates(engine, () => options.onWorkLeft(0), logger);
  const draining: Draining = drainingOf(worker, {
    slots,
    stopping,
    held,
    recorder,
    publishing,
    unreadable,
    lease,
    missing,
    logger,
  });
  const outage = channel && new OutageReport((error) => channel.failed(error));
  const queuePoller = pollerOf(options, worker, { slots, outage });
  if (channel) slots.resize(channel.slots);
  reports.observe(() => ({
    tasks: new Set([...steps].map((step) => step.task)).size,
    running: slots.running,
    unrecorded: publishing.pending + recorder.pending,
    slots: slots.capacity,
    lagMs: loop.stats.lagMs,
    threads: isolation.stats,
  }));
  return {
    cache,
    slots,
    stopping,
    registries,
    traces,
    deadlines,
    isolation,
    reports,
    lease,
    channel,
    publishing,
    recorder,
    missing,
    held,
    unreadable,
    outage,
    queuePoller,
    logWriter,
    draining,
  };
}

function drainingOf(
  worker: WorkerHooks,
  parts: Pick<DrainingOptions, 'slots' | 'stopping' | 'logger'> & {
    held: HeldSteps;
    recorder: Recorder;
    publishing: Publishing;
    unreadable: UnreadableTemplates;
    lease: Lease;
    missing: MissingHandlers;
  },
): Draining {
  const { slots, stopping, held, recorder, publishing, unreadable, lease, missing, logger } = parts;
  const pending = () => held.size + slots.running + recorder.pending + publishing.pending;
  return new Draining({
    slots,
    stopping,
    isIdle: () => pending() === 0 && !worker.claiming && !unreadable.busy && !lease.unanswered.any,
    release: () => missing.release(),
    resumed: () => worker.wake(),
    changed: () => lease.incarnation.beatNow(),
    logger,
  });
}

function pollerOf(
  { engine, logger, leaseMs, handOut, pollMs, onWorkLeft }: WorkerOptions,
  worker: WorkerHooks,
  { slots, outage }: { slots: Slots; outage: OutageReport | undefined },
): QueuePoller {
  return new QueuePoller(
    engine,
    {
      namespaceIds: () => worker.namespaceIds,
      everyMs: () => (handOut ? Math.min(pollMs(), HANDED_OUT_POLL_MS) : pollMs()),
      timeoutMs: leaseMs / 3,
      outage,
      ready: () => {
        worker.wake();
        // Without a free slot here, other workers must be notified.
        if (slots.free <= 0) onWorkLeft(LOWEST_RANK);
      },
      polled: () => worker.polled(),
    },
    logger,
  );
}
