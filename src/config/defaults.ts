/** So often one event may be delivered, at most. */
export const MOST_DELIVERIES = 100_000;

/** Every default that a user meets, in one place. Times in milliseconds. */
export const DEFAULTS = {
  /** Handlers that a worker runs at once. */
  concurrency: 100,
  /** A worker that gives no sign of life for so long is taken for dead. */
  leaseMs: 30_000,
  /** For how long a lease outlives an event loop that is blocked. */
  blockedLoopBoundMs: 300_000,
  /** For steps without `timeout_seconds`; 0: none. */
  handlerTimeoutMs: 300_000,
  /** How long `stop` lets running handlers finish. */
  drainTimeoutMs: 30_000,
  /** How long a step waits for a handler that no worker has. */
  handlerMissingGraceMs: 10_000,
  /** Results that come with a step, as JSON text; what lies over it is loaded when the handler asks for it. */
  dependencyBytes: 8 * 1024 * 1024,
  /** Between looks into the queue while notifications arrive, and while they do not. */
  pollMs: 2_000,
  pollDeafMs: 1_000,
  poolSize: 10,
  /** How long connecting may take, and how long a connection may lie idle. */
  acquireTimeoutMs: 10_000,
  idleTimeoutMs: 300_000,
  /** What one result may make happen; the engine's own bounds are the same. */
  stepsPerDecision: 100,
  decisionDepth: 20,
  workersPerBatch: 10_000,
  /** Loopback: who wants the worker's port open to others says so. */
  webAddress: { host: '127.0.0.1', port: 8081 },
  /** How old a domain event becomes that every group has passed. */
  eventRetentionMs: 7 * 86_400_000,
  /** Deliveries of an event to a subscriber before it is given up, how long one may take, and how many run at once. */
  eventMaxDeliveries: 10,
  eventTimeoutMs: 30_000,
  eventConcurrency: 10,
  /** Sinks are other systems, which may be down for long: so many deliveries are about a day. */
  sinkMaxDeliveries: 300,
  environment: 'development',
  logLevel: 'info',
  /** Where the embedded server lives, below the current folder. */
  embeddedFolder: '.tasker',
} as const;
