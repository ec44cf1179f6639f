/**
 * Keys of Tasker's configuration files that have no effect here, each with the reason. A name that ends with `.*`
 * stands for all keys below it. These keys are accepted, so that existing files can be used unchanged.
 */
export const INEFFECTIVE_KEYS: Readonly<Record<string, string>> = {
  ...because('connections are opened when they are needed, and kept while they work', [
    'common.database.pool.min_connections',
    'common.database.pool.max_lifetime_seconds',
    'common.database.pool.slow_acquire_threshold_ms',
  ]),
  ...because('the database distributes the work; there are no separate queues', [
    'common.pgmq_database.*',
    'common.queues.*',
    'worker.event_systems.*',
    'orchestration.event_systems.*',
  ]),
  ...because('there are no channels to size: a worker claims only what it can start', [
    'common.mpsc_channels.*',
    'orchestration.mpsc_channels.*',
    'worker.mpsc_channels.command_processor.*',
    'worker.mpsc_channels.event_systems.*',
    'worker.mpsc_channels.event_subscribers.*',
    'worker.mpsc_channels.in_process_events.*',
    'worker.mpsc_channels.event_listeners.*',
    'worker.mpsc_channels.domain_events.*',
    'worker.mpsc_channels.ffi_dispatch.*',
    'worker.mpsc_channels.handler_dispatch.dispatch_buffer_size',
    'worker.mpsc_channels.handler_dispatch.completion_buffer_size',
    'worker.mpsc_channels.handler_dispatch.load_shedding.*',
  ]),
  ...because('a failed call is retried or reported; there are no circuit breakers', [
    'common.circuit_breakers.*',
    'worker.circuit_breakers.*',
  ]),
  ...because('a step is enqueued as soon as its parents are recorded, not in batches', [
    'common.execution.step_enqueue_batch_size',
  ]),
  ...because('templates set it in `retry`', ['common.backoff.*']),
  ...because('templates are kept in memory and in the database; nothing else is cached', ['common.cache.*']),
  ...because('it belongs to a component that does not exist here', ['common.system.*', 'worker.worker_type']),
  ...because('the environment variables of the OpenTelemetry SDK set it', ['common.telemetry.*']),
  ...because('decisions are always logged and measured', [
    'orchestration.enable_performance_logging',
    'orchestration.decision_points.enabled',
    'orchestration.decision_points.warn_threshold_steps',
    'orchestration.decision_points.warn_threshold_depth',
    'orchestration.decision_points.enable_detailed_logging',
    'orchestration.decision_points.enable_metrics',
  ]),
  ...because(
    'the thresholds only note stale tasks; templates end them, or send them to the dead letters, in `lifecycle`',
    ['orchestration.dlq.actions.*', 'orchestration.dlq.staleness_detection.actions.*'],
  ),
  ...because('as many tasks are checked at the same time as locks allow', [
    'orchestration.dlq.batch_size',
    'orchestration.dlq.staleness_detection.batch_size',
  ]),
  ...because('templates set it in `batch_config`', [
    'orchestration.batch_processing.enabled',
    'orchestration.batch_processing.max_parallel_batches',
    'orchestration.batch_processing.default_batch_size',
    'orchestration.batch_processing.checkpoint_stall_minutes',
  ]),
  ...because('this server does not exist here', ['orchestration.grpc.*', 'worker.grpc.*']),
  ...because('the command `tasker server` starts the server', ['orchestration.web.enabled']),
  ...because('the server has one pool, and limits load by the number of requests in progress', [
    ...['pool_size', 'connection_timeout_seconds', 'idle_timeout_seconds'].map(
      (name) => `orchestration.web.database_pools.web_api_${name}`,
    ),
    'orchestration.web.database_pools.max_total_connections_hint',
    'orchestration.web.resilience.*',
  ]),
  ...because('the server signs no tokens', [
    'orchestration.web.auth.jwt_private_key',
    'orchestration.web.auth.jwt_token_expiry_hours',
  ]),
  ...because('such a key never worked; `tasker auth key create` creates one with the permissions that it needs', [
    'orchestration.web.auth.api_key',
  ]),
  ...because('workers connect to the database directly, not through another server', ['worker.orchestration_client.*']),
  ...because('the port of `tasker worker` accepts the credentials of `orchestration.web.auth`', ['worker.web.auth.*']),
  ...because("the worker's port has no pools or timeouts of its own", [
    'worker.web.request_timeout_ms',
    'worker.web.database_pools.*',
    'worker.web.cors.*',
    'worker.web.tls.*',
    'worker.web.rate_limiting.*',
    'worker.web.resilience.*',
  ]),
};

function because(reason: string, keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(keys.map((key) => [key, reason]));
}

/** Returns the name in {@link INEFFECTIVE_KEYS} that covers a path. */
export function ineffectiveRow(path: string): string | undefined {
  if (Object.hasOwn(INEFFECTIVE_KEYS, path)) return path;
  for (let end = path.length; end > 0; end = path.lastIndexOf('.', end - 1)) {
    const row = `${path.slice(0, end)}.*`;
    if (Object.hasOwn(INEFFECTIVE_KEYS, row)) return row;
  }
  return undefined;
}
