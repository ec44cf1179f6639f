import type { Counter, Definition, Gauge, Histogram } from './instrument.ts';

/** Seconds that a statement or a transaction may take. */
const QUICK = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Seconds that a handler may take. */
const LONG = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** Seconds from the creation of a task to its end. */
const LONGEST = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1_800, 3_600, 14_400, 86_400];
/** Seconds for work that waits for people, such as dead letters. */
const DAYS = [60, 300, 1_800, 3_600, 14_400, 86_400, 259_200, 604_800, 2_592_000];
const SIZES = [0, 1, 2, 5, 10, 20, 50, 100, 1_000, 10_000];

const counter = (name: string, labels: readonly string[], help: string) =>
  ({ kind: 'counter', name, labels, help }) as const;
const gauge = (name: string, labels: readonly string[], help: string) =>
  ({ kind: 'gauge', name, labels, help }) as const;
const seconds = (name: string, labels: readonly string[], help: string, buckets: readonly number[] = QUICK) =>
  ({ kind: 'histogram', name, labels, help, buckets, unit: 'seconds' }) as const;
const sizes = (name: string, labels: readonly string[], help: string) =>
  ({ kind: 'histogram', name, labels, help, buckets: SIZES }) as const;

/** The end of the descriptions of the gauges in {@link OVERVIEW}. */
const OF_ALL = 'in the whole database: every process reports the same value';

const OF_TASK = ['namespace', 'template'];
const OF_HANDLER = ['namespace', 'handler'];

/**
 * All instruments. Each covers this process since its start; Prometheus adds up several processes. The exceptions are
 * the gauges of {@link OVERVIEW}, which describe the whole database: every process reports the same values. An
 * instrument that also exists in the original system has the same name.
 */
export const INSTRUMENTS = {
  // the server
  authRequests: counter(
    'tasker.auth.requests.total',
    ['credential'],
    'Requests to this server that need a credential, by kind of credential: key, token, session, none',
  ),
  authFailures: counter(
    'tasker.auth.failures.total',
    ['reason'],
    'Requests that this server rejected because of their credential: missing, expired, invalid, malformed, forbidden',
  ),
  jwtVerification: seconds('tasker.auth.jwt.verification.duration', [], 'Time to verify a token'),
  permissionDenials: counter(
    'tasker.permission.denials.total',
    ['permission'],
    'Requests that this server rejected because their credential lacks the permission',
  ),
  requestsRejected: counter(
    'tasker.api.requests_rejected.total',
    ['reason'],
    'Requests that this server rejected without processing them: rate_limited, overloaded',
  ),

  // tasks
  tasksRequested: counter('tasker.tasks.requests.total', OF_TASK, 'Tasks created by this process'),
  tasksCompleted: counter(
    'tasker.tasks.completions.total',
    OF_TASK,
    'Tasks completed by a result that this process recorded',
  ),
  tasksFailed: counter(
    'tasker.tasks.failures.total',
    ['state'],
    'Tasks that ended or stopped without completing in this process: blocked_by_failures, error, cancelled',
  ),
  tasksActive: gauge('tasker.tasks.active', [], 'Tasks with steps that this worker holds'),
  tasksOpen: gauge('tasker.tasks.open', ['namespace', 'state'], `Tasks that have not ended, ${OF_ALL}`),
  taskInitialization: seconds('tasker.task.initialization.duration', [], 'Time of one call that creates tasks'),
  taskCompletion: seconds(
    'tasker.task.completion_duration',
    OF_TASK,
    'Time from the creation of a task to its end',
    LONGEST,
  ),

  // steps
  stepsEnqueued: counter('tasker.steps.enqueued.total', [], 'Steps that this process enqueued'),
  stepsClaimed: counter(
    'tasker.steps.claimed.total',
    ['source'],
    'Steps claimed by this worker, from the queue or together with the recording of their parent',
  ),
  stepsExecuted: counter('tasker.steps.executions.total', OF_HANDLER, 'Handler calls'),
  stepsSucceeded: counter('tasker.steps.successes.total', OF_HANDLER, 'Recorded attempts that completed'),
  stepsFailed: counter(
    'tasker.steps.failures.total',
    [...OF_HANDLER, 'retryable'],
    'Recorded attempts that failed; retryable: whether the failure allows another attempt',
  ),
  stepsTimedOut: counter('tasker.steps.timeouts.total', OF_HANDLER, 'Attempts that timed out'),
  stepsSettledLate: counter(
    'tasker.steps.settled_late.total',
    OF_HANDLER,
    'Handlers that finished only after their step had ended by a timeout, a cancellation or a lost lease',
  ),
  stepsLost: counter('tasker.steps.lost.total', [], 'Steps reclaimed from lost workers'),
  stepsRequeued: counter(
    'tasker.steps.requeued.total',
    [],
    'Ready steps that were missing from the queue, for example after a restored backup, and were enqueued again',
  ),
  stepsActive: gauge('tasker.steps.active_executions', [], 'Handlers running now'),
  resultsSubmitted: counter('tasker.steps.results_submitted.total', [], 'Outcomes of attempts submitted for recording'),
  resultsProcessed: counter(
    'tasker.steps.results_processed.total',
    ['outcome'],
    'Outcomes of attempts that were accepted, or rejected because this worker no longer held the step',
  ),
  stepAttempts: counter(
    'tasker.step.attempts.total',
    ['outcome'],
    'Attempts that ended, by outcome: completed, failed, or released (returned to the queue without using up an attempt)',
  ),
  stepClaim: seconds('tasker.step.claim.duration', [], 'Time of one claim of any number of steps'),
  stepExecution: seconds(
    'tasker.step.execution.duration',
    OF_HANDLER,
    'Time from claiming a step to its result, measured to the millisecond, including the wait for results of earlier steps',
    LONG,
  ),
  resultProcessing: seconds(
    'tasker.step_result.processing.duration',
    [],
    'Time of one recording of any number of results',
  ),

  // decisions
  outcomesProcessed: counter(
    'tasker.decision_points.outcomes_processed.total',
    ['kind'],
    'Results that created steps: branches of a decision, or a batch',
  ),
  stepsCreated: counter(
    'tasker.decision_points.steps_created.total',
    ['kind'],
    'Steps requested by results of decisions and analyzers',
  ),
  outcomeSize: sizes(
    'tasker.decision_point.step_count',
    ['kind'],
    'Steps requested by one result of a decision or an analyzer',
  ),

  // stale tasks and dead letters
  deadLettersAdded: counter(
    'tasker.dlq.entries_created.total',
    [],
    'Tasks that this process added to the dead letters',
  ),
  deadLetterTime: seconds(
    'tasker.dlq.time_in_queue',
    [],
    'Time from the entry of a dead letter until this process closed it',
    DAYS,
  ),
  deadLettersPending: gauge('tasker.dlq.pending_investigations', ['namespace'], `Open dead letters, ${OF_ALL}`),
  staleLooks: counter('tasker.staleness.detection_runs.total', [], 'Checks for stale tasks'),
  staleLook: seconds('tasker.staleness.detection.duration', [], 'Time of one check for stale tasks'),
  staleDetected: counter(
    'tasker.staleness.tasks_detected.total',
    [],
    'Tasks found to be over a limit of their lifecycle',
  ),
  staleEnded: counter('tasker.staleness.tasks_transitioned_to_error.total', [], 'Stale tasks moved to the state error'),

  // retention
  tasksPruned: counter(
    'tasker.prune.tasks.total',
    ['outcome'],
    'Old tasks that a prune of this process deleted, skipped because they are still needed, or failed to delete',
  ),

  // the queue and its notifications
  queueDepth: gauge(
    'tasker.queue.depth',
    ['namespace'],
    `Ready steps that no worker has claimed, counted up to 100,000 in a namespace, ${OF_ALL}`,
  ),
  queueOldest: {
    ...gauge(
      'tasker.queue.oldest_message.age',
      ['namespace'],
      `Time for which the oldest ready step has waited, ${OF_ALL}`,
    ),
    unit: 'seconds',
  },
  unservedSteps: gauge(
    'tasker.unserved_steps',
    ['namespace'],
    `Ready steps that no live worker can run, because none serves the namespace or none has the handler, ${OF_ALL}`,
  ),
  unservedHandlerSteps: gauge(
    'tasker.unserved_handler_steps',
    ['namespace', 'handler'],
    `Ready steps that need a handler that no live worker of their namespace has, ${OF_ALL}`,
  ),
  unservedHandlerSince: {
    ...gauge(
      'tasker.unserved_handler_since',
      ['namespace', 'handler'],
      `Unix time since which no live worker of the namespace has had the handler, ${OF_ALL}`,
    ),
    unit: 'seconds',
  },
  waitingSteps: gauge(
    'tasker.waiting_steps',
    ['kind'],
    `Steps that wait for a timer, a signal, an approval, a completion from outside or their next call, and tasks that wait for their start, counted up to 1,000,000 of each kind, ${OF_ALL}`,
  ),
  waitingOldest: {
    ...gauge(
      'tasker.waiting_steps.oldest.age',
      ['kind'],
      `Time for which the oldest wait of a kind has lasted, ${OF_ALL}`,
    ),
    unit: 'seconds',
  },
  lateTimers: gauge(
    'tasker.late_timers',
    [],
    `Waits that have been due for more than five seconds and that no worker has ended, counted up to 100,000, ${OF_ALL}`,
  ),
  lateSchedules: gauge(
    'tasker.late_schedules',
    [],
    `Schedules whose due time passed more than ten seconds ago and that no worker has fired, counted up to 10,000, ${OF_ALL}`,
  ),
  workers: gauge(
    'tasker.workers',
    ['state'],
    `Workers that take steps (running), take none (draining) or are lost, ${OF_ALL}`,
  ),
  overviewAge: {
    ...gauge(
      'tasker.overview.age',
      [],
      'Age of the values that describe all processes; they are removed after two minutes',
    ),
    unit: 'seconds',
  },
  messagesSent: counter('tasker.messages.sent.total', ['channel'], 'Notifications sent to other processes'),
  messagesReceived: counter('tasker.messages.received.total', ['channel'], 'Notifications received'),
  messagesLost: counter(
    'tasker.messages.send_failures.total',
    ['channel'],
    'Notifications that could not be sent; this only adds latency',
  ),
  backlog: gauge('tasker.channel.backlog', ['channel'], 'Outcomes of attempts that are not acknowledged yet'),
  saturation: gauge(
    'tasker.channel.saturation',
    ['channel'],
    'Share of the slots of the worker that are in use, 0 to 1',
  ),
  bufferSize: gauge('tasker.channel.buffer_size', ['channel'], 'Number of slots for steps in the worker'),

  // domain events
  eventsPublished: counter(
    'tasker.domain_events.published.total',
    ['mode'],
    'Domain events committed with the result of their step, by delivery mode',
  ),
  eventsUnpublished: counter(
    'tasker.domain_events.unpublished.total',
    ['reason'],
    'Declared domain events that were not published: the payload does not match its schema (invalid), the publisher failed (failed), the result was not accepted (refused)',
  ),
  eventPublish: seconds(
    'tasker.domain_event.publish.duration',
    [],
    'Time that the publishers took for the events of one attempt; only in workers with publishers',
  ),
  eventsDispatched: counter(
    'tasker.domain_events.dispatched.total',
    [],
    'Fast and broadcast events delivered to listeners in this process, counted once for each listener',
  ),
  eventsDropped: counter(
    'tasker.domain_events.dropped.total',
    [],
    'Fast and broadcast events dropped because a listener or a subscriber is too slow',
  ),
  eventsQueued: gauge(
    'tasker.domain_events.channel_depth',
    [],
    'Fast and broadcast events waiting for a listener, without those in the queue of a subscriber',
  ),
  eventsDelivered: counter(
    'tasker.domain_events.delivered.total',
    ['group'],
    'Successful deliveries of durable events',
  ),
  eventsFailed: counter(
    'tasker.domain_events.failed.total',
    ['group'],
    'Failed deliveries of durable events, which are retried until their attempts are used up',
  ),
  eventsDead: counter('tasker.domain_events.dead.total', ['group'], 'Dead deliveries of durable events to the group'),
  eventsLate: gauge(
    'tasker.domain_events.late',
    ['group'],
    'Deliveries in this process that are still running after their timeout; at ten times the concurrency the group pauses here',
  ),
  eventsWaiting: gauge(
    'tasker.domain_events.waiting',
    ['group'],
    'Durable events that a group of this process has not reached yet; counted at most every 5 s',
  ),
  eventsRetrying: gauge(
    'tasker.domain_events.retrying',
    ['group'],
    'Deliveries waiting for a retry, including later events of the same task that wait for it',
  ),
  eventLag: {
    ...gauge('tasker.domain_events.lag', ['group'], 'Age of the oldest waiting event'),
    unit: 'seconds',
  },
  // database
  sqlQueries: counter('tasker.sql.queries.total', [], 'Statements sent, including BEGIN and COMMIT'),
  sqlQuery: seconds('tasker.sql.query.duration', ['statement'], 'Time of a single statement, including the network'),
  transaction: seconds(
    'tasker.db.transaction.duration',
    [],
    'Time of a transaction, from getting its connection to its end',
  ),
  poolConnections: gauge('tasker.db.pool.connections', ['pool', 'state'], 'Idle or active connections'),
  poolWaiting: gauge('tasker.db.pool.waiting', ['pool'], 'Callers waiting for a connection'),
  poolCheckouts: counter('tasker.db.pool.checkouts.total', ['pool'], 'Connections taken from a pool'),
  poolCheckout: seconds('tasker.db.pool.checkout.duration', ['pool'], 'Time spent waiting for a connection'),
  connectionErrors: counter('tasker.db.connection.errors.total', [], 'Connections that failed or were lost'),

  // the worker
  workerInfo: gauge(
    'tasker.worker.info',
    ['version', 'worker', 'schema'],
    'Always 1; the labels are the package version, the name of the worker and the schema of the database',
  ),
  workerUptime: { ...gauge('tasker.worker.uptime', [], 'Time since this tasker started'), unit: 'seconds' },
  workerPoolSize: gauge('tasker.worker.db_pool_size', [], 'Maximum number of connections in the pool'),
  loopLag: {
    ...gauge('tasker.worker.event_loop.lag', [], 'Delay of the event loop at the last measurement'),
    unit: 'seconds',
  },
  loopBlocked: counter(
    'tasker.worker.event_loop.blocked.total',
    OF_HANDLER,
    'Handler calls that blocked the event loop for a second or longer',
  ),
  threads: gauge(
    'tasker.worker.threads',
    ['state'],
    'Threads for isolated handlers, busy or idle, and steps waiting for one',
  ),
} as const satisfies Record<string, Definition>;

/** The gauges that describe the whole database. Take the maximum over the processes, not the sum. */
export const OVERVIEW = [
  'tasksOpen',
  'deadLettersPending',
  'queueDepth',
  'queueOldest',
  'unservedSteps',
  'unservedHandlerSteps',
  'unservedHandlerSince',
  'waitingSteps',
  'waitingOldest',
  'lateTimers',
  'lateSchedules',
  'workers',
] as const;

interface ByKind {
  counter: Counter;
  gauge: Gauge;
  histogram: Histogram;
}

/** The instruments by name. */
export type Instruments = {
  readonly [Name in keyof typeof INSTRUMENTS]: ByKind[(typeof INSTRUMENTS)[Name]['kind']];
};
