/** Upper bound of the setting for the maximum number of deliveries of one event. */
export const MOST_DELIVERIES = 100_000;

/** The defaults of all settings. Times in milliseconds. */
export const DEFAULTS = {
  /** Maximum number of handlers that a worker runs at the same time. */
  concurrency: 100,
  /** A worker without a heartbeat for this long is considered lost. */
  leaseMs: 30_000,
  stepLogs: 'failed' as 'none' | 'failed' | 'all',
  /** How long a worker keeps its steps while its event loop is blocked. */
  blockedLoopBoundMs: 300_000,
  /** Timeout of a handler, for steps without `timeout_seconds`; 0 means none. */
  handlerTimeoutMs: 300_000,
  /** How long `stop` waits for running handlers. */
  drainTimeoutMs: 30_000,
  /** How long a step waits for a handler that no worker has. */
  handlerMissingGraceMs: 10_000,
  /**
   * Maximum size of the results that are loaded with a step, as JSON text. Larger results are loaded when the handler
   * reads them.
   */
  dependencyBytes: 8 * 1024 * 1024,
  /** Poll interval of the queue while notifications arrive, and while they do not. */
  pollMs: 2_000,
  pollWithoutNotifyMs: 1_000,
  poolSize: 10,
  /** Timeout for getting a connection, and time after which an idle connection is closed. */
  acquireTimeoutMs: 10_000,
  idleTimeoutMs: 300_000,
  /** Limits on dynamic steps; the same as the engine's own. */
  stepsPerDecision: 100,
  decisionDepth: 20,
  workersPerBatch: 10_000,
  /** Loopback, because opening the port to other machines must be the user's decision. */
  webAddress: { host: '127.0.0.1', port: 8081 },
  /** Age at which domain events are deleted, once every group has passed them. */
  eventRetentionMs: 7 * 86_400_000,
  /** Interval between scans that apply the configured staleness thresholds to open tasks. */
  stalenessIntervalMs: 300_000,
  /** The fraction of the time in which old tasks are deleted. */
  retentionShare: 0.1,
  /** Deliveries to subscribers: maximum number per event, timeout of a delivery, and how many run at the same time. */
  eventMaxDeliveries: 10,
  eventTimeoutMs: 30_000,
  eventConcurrency: 10,
  /**
   * Maximum number of deliveries to a sink. Sinks are other systems, which may be down for a long time, and this many
   * deliveries take about a day.
   */
  sinkMaxDeliveries: 300,
  environment: 'development',
  logLevel: 'info',
  /** The folder of the embedded server, in the current folder. */
  embeddedFolder: '.tasker',
} as const;
