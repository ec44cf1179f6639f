import type { Counter, Definition, Gauge, Histogram } from './instrument.ts';

/** Seconds that a statement or a transaction may take. */
const QUICK = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Seconds that a handler may take. */
const LONG = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** Seconds from the creation of a task to its end. */
const LONGEST = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1_800, 3_600, 14_400, 86_400];
const SIZES = [0, 1, 2, 5, 10, 20, 50, 100, 1_000, 10_000];

const counter = (name: string, labels: readonly string[], help: string) =>
  ({ kind: 'counter', name, labels, help }) as const;
const gauge = (name: string, labels: readonly string[], help: string) =>
  ({ kind: 'gauge', name, labels, help }) as const;
const seconds = (name: string, labels: readonly string[], help: string, buckets: readonly number[] = QUICK) =>
  ({ kind: 'histogram', name, labels, help, buckets, unit: 'seconds' }) as const;
const sizes = (name: string, labels: readonly string[], help: string) =>
  ({ kind: 'histogram', name, labels, help, buckets: SIZES }) as const;

const OF_TASK = ['namespace', 'template'];
const OF_HANDLER = ['namespace', 'handler'];

/**
 * Every instrument. Each counts what this process did, from its start on: sums over all processes are Prometheus'
 * business. Names are those of the described system where it has one.
 */
export const INSTRUMENTS = {
  // tasks
  tasksRequested: counter('tasker.tasks.requests.total', OF_TASK, 'Tasks that callers of this process created'),
  tasksCompleted: counter('tasker.tasks.completions.total', OF_TASK, 'Tasks whose last step this process recorded'),
  tasksFailed: counter(
    'tasker.tasks.failures.total',
    ['state'],
    'Tasks that came to rest otherwise through this process: blocked_by_failures, error, cancelled',
  ),
  tasksActive: gauge('tasker.tasks.active', [], 'Tasks of which this worker holds steps'),
  taskInitialization: seconds('tasker.task.initialization.duration', [], 'Creating tasks, one call'),
  taskCompletion: seconds(
    'tasker.task.completion_duration',
    OF_TASK,
    'From the creation of a task to its end',
    LONGEST,
  ),

  // steps
  stepsEnqueued: counter('tasker.steps.enqueued.total', [], 'Steps that this process made ready'),
  stepsClaimed: counter(
    'tasker.steps.claimed.total',
    ['source'],
    'Steps taken by this worker: from the queue, or as children with the recording of their parent',
  ),
  stepsExecuted: counter('tasker.steps.executions.total', OF_HANDLER, 'Handlers that were called'),
  stepsSucceeded: counter('tasker.steps.successes.total', OF_HANDLER, 'Attempts that completed, recorded'),
  stepsFailed: counter(
    'tasker.steps.failures.total',
    [...OF_HANDLER, 'retryable'],
    'Attempts that failed, recorded; retryable tells whether the failure allows another attempt',
  ),
  stepsTimedOut: counter('tasker.steps.timeouts.total', OF_HANDLER, 'Attempts whose time was up'),
  stepsSettledLate: counter(
    'tasker.steps.settled_late.total',
    OF_HANDLER,
    'Handlers that went on after their step was over (a timeout, a cancel, a lost lease) and settled then',
  ),
  stepsLost: counter('tasker.steps.lost.total', [], 'Steps taken back from workers that were found dead'),
  stepsRequeued: counter(
    'tasker.steps.requeued.total',
    [],
    'Ready steps that were missing from the queue, after a restored backup or a fault, and were queued again',
  ),
  stepsActive: gauge('tasker.steps.active_executions', [], 'Handlers that run now'),
  resultsSubmitted: counter('tasker.steps.results_submitted.total', [], 'Ends of attempts handed over for recording'),
  resultsProcessed: counter(
    'tasker.steps.results_processed.total',
    ['outcome'],
    'Ends of attempts that were answered: accepted, or refused because the step was not this worker’s any more',
  ),
  stepAttempts: counter(
    'tasker.step.attempts.total',
    ['outcome'],
    'Attempts that ended, by outcome as in the history: completed, failed, or released (given back unspent)',
  ),
  stepClaim: seconds('tasker.step.claim.duration', [], 'One claim, of however many steps'),
  stepExecution: seconds(
    'tasker.step.execution.duration',
    OF_HANDLER,
    'From holding a step to its result, in whole milliseconds; waiting for results of earlier steps is in it',
    LONG,
  ),
  resultProcessing: seconds('tasker.step_result.processing.duration', [], 'One recording, of however many results'),

  // decisions
  outcomesProcessed: counter(
    'tasker.decision_points.outcomes_processed.total',
    ['kind'],
    'Results that made steps: branches of a decision, or a batch',
  ),
  stepsCreated: counter('tasker.decision_points.steps_created.total', ['kind'], 'Steps that such results asked for'),
  outcomeSize: sizes('tasker.decision_point.step_count', ['kind'], 'Steps that one such result asked for'),

  // stale tasks
  staleNoted: counter('tasker.dlq.entries_created.total', [], 'Stale tasks noted for an operator'),
  staleLooks: counter('tasker.staleness.detection_runs.total', [], 'Looks for stale tasks'),
  staleLook: seconds('tasker.staleness.detection.duration', [], 'One look for stale tasks'),
  staleDetected: counter('tasker.staleness.tasks_detected.total', [], 'Tasks found to stand longer than they may'),
  staleEnded: counter('tasker.staleness.tasks_transitioned_to_error.total', [], 'Stale tasks ended in error'),

  // the queue, and those who hear of it
  queueDepth: gauge(
    'tasker.queue.depth',
    ['namespace'],
    'Ready steps that nobody has taken, of the namespaces served here; counted to 100,000, at most every 5 s',
  ),
  messagesSent: counter('tasker.messages.sent.total', ['channel'], 'Notifications sent to other processes'),
  messagesReceived: counter('tasker.messages.received.total', ['channel'], 'Notifications heard'),
  messagesLost: counter(
    'tasker.messages.send_failures.total',
    ['channel'],
    'Notifications that did not get through; they cost latency only',
  ),
  backlog: gauge('tasker.channel.backlog', ['channel'], 'Ends of attempts (results) that are not acknowledged yet'),
  saturation: gauge('tasker.channel.saturation', ['channel'], 'Slots of the worker (steps) in use, 0 to 1'),
  bufferSize: gauge('tasker.channel.buffer_size', ['channel'], 'Slots of the worker (steps)'),

  // domain events
  eventsPublished: counter(
    'tasker.domain_events.published.total',
    ['mode'],
    'Domain events that were committed with the result that they tell of, by how they are delivered',
  ),
  eventsUnpublished: counter(
    'tasker.domain_events.unpublished.total',
    ['reason'],
    'Declared domain events that were not published: the payload does not fit its schema (invalid), the publisher failed (failed), the result was not accepted (refused)',
  ),
  eventPublish: seconds(
    'tasker.domain_event.publish.duration',
    [],
    'Asking the publishers for the events of one attempt, in a worker that has some',
  ),
  eventsDispatched: counter(
    'tasker.domain_events.dispatched.total',
    [],
    'Fast and broadcast events that listeners of this process were told of, each listener counted',
  ),
  eventsDropped: counter(
    'tasker.domain_events.dropped.total',
    [],
    'The same that were let go because a listener or a subscriber is too slow',
  ),
  eventsQueued: gauge(
    'tasker.domain_events.channel_depth',
    [],
    'The same that wait for a listener; what a subscriber has taken into a queue of its own is not among them',
  ),
  eventsDelivered: counter(
    'tasker.domain_events.delivered.total',
    ['group'],
    'Deliveries of durable events that their group handled',
  ),
  eventsFailed: counter(
    'tasker.domain_events.failed.total',
    ['group'],
    'Deliveries of durable events that failed; they are repeated, until they are given up',
  ),
  eventsDead: counter('tasker.domain_events.dead.total', ['group'], 'Durable events that a group could not handle'),
  eventsLate: gauge(
    'tasker.domain_events.late',
    ['group'],
    'Deliveries that go on after their time, in this process; ten times the concurrency of these stop its group here',
  ),
  eventsWaiting: gauge(
    'tasker.domain_events.waiting',
    ['group'],
    'Durable events that a group of this process has before it; counted at most every 5 s',
  ),
  eventsRetrying: gauge(
    'tasker.domain_events.retrying',
    ['group'],
    'Deliveries that are repeated, those that wait behind them for the sake of order included',
  ),
  eventLag: {
    ...gauge('tasker.domain_events.lag', ['group'], 'How long the first of the events that wait has been there'),
    unit: 'seconds',
  },
  // database
  sqlQueries: counter('tasker.sql.queries.total', [], 'Statements sent, BEGIN and COMMIT included'),
  sqlQuery: seconds('tasker.sql.query.duration', ['statement'], 'A statement that is sent alone, with its way there'),
  transaction: seconds('tasker.db.transaction.duration', [], 'A transaction, from its connection to its end'),
  poolConnections: gauge('tasker.db.pool.connections', ['pool', 'state'], 'Connections that are idle or active'),
  poolWaiting: gauge('tasker.db.pool.waiting', ['pool'], 'Callers that wait for a connection'),
  poolCheckouts: counter('tasker.db.pool.checkouts.total', ['pool'], 'Connections taken from a pool'),
  poolCheckout: seconds('tasker.db.pool.checkout.duration', ['pool'], 'Waiting for a connection'),
  connectionErrors: counter('tasker.db.connection.errors.total', [], 'Connections that failed or were lost'),

  // the worker
  workerInfo: gauge(
    'tasker.worker.info',
    ['version', 'worker'],
    'Always 1: version of the package, name of the worker',
  ),
  workerUptime: { ...gauge('tasker.worker.uptime', [], 'Since the start of this tasker'), unit: 'seconds' },
  workerPoolSize: gauge('tasker.worker.db_pool_size', [], 'Connections that the pool may have'),
  loopLag: {
    ...gauge('tasker.worker.event_loop.lag', [], 'How late the event loop was at its newest look'),
    unit: 'seconds',
  },
  loopBlocked: counter(
    'tasker.worker.event_loop.blocked.total',
    OF_HANDLER,
    'Calls of a handler that kept the event loop from turning for a second or longer',
  ),
  threads: gauge(
    'tasker.worker.threads',
    ['state'],
    'Threads for isolated handlers: busy, idle; steps waiting for one',
  ),
} as const satisfies Record<string, Definition>;

interface ByKind {
  counter: Counter;
  gauge: Gauge;
  histogram: Histogram;
}

/** The instruments, to count on. */
export type Instruments = {
  readonly [Name in keyof typeof INSTRUMENTS]: ByKind[(typeof INSTRUMENTS)[Name]['kind']];
};
