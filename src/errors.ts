/**
 * The code of every error that a caller can receive, and its HTTP status. `docs/errors.md` explains each of them; a
 * test compares the two.
 */
export const ERRORS = {
  // requests
  bad_request: 400,
  json_error: 400,
  unsupported_media_type: 415,
  method_not_allowed: 405,
  invalid_uuid: 400,
  invalid_context: 400,
  identity_missing: 400,
  template_invalid: 400,
  config_invalid: 400,
  template_not_found: 404,
  template_changed: 409,
  namespace_not_found: 404,
  task_not_found: 404,
  step_not_found: 404,
  event_not_found: 404,
  event_group_not_found: 404,
  worker_not_found: 404,
  bulk_not_found: 404,
  dead_letter_not_found: 404,
  schedule_not_found: 404,
  credential_not_found: 404,
  schedule_invalid: 400,
  archive_damaged: 500,
  conflict: 409,
  illegal_transition: 409,
  nothing_failed: 409,
  signal_refused: 409,
  wait_over: 409,
  token_invalid: 403,
  timeout: 408,
  task_failed: 500,
  // handlers
  handler_invalid: 400,
  handler_not_found: 404,
  conversion_error: 400,
  result_not_storable: 400,
  step_failed: 500,
  step_taken_away: 409,
  worker_lost: 409,
  // domain events
  publisher_invalid: 400,
  publisher_not_found: 404,
  subscriber_invalid: 400,
  // the process and its database
  database_url_missing: 500,
  database_unreachable: 503,
  database_too_old: 500,
  database_error: 500,
  record_in_doubt: 503,
  schema_behind: 500,
  schema_too_new: 500,
  schema_changed: 500,
  rights_missing: 500,
  embedded_unsupported: 500,
  embedded_failed: 500,
  folder_not_writable: 500,
  worker_not_initialized: 503,
  worker_bootstrap: 500,
  worker_already_running: 409,
  bridge: 500,
  stopped: 503,
  // the REST API of a worker
  address_unavailable: 500,
  not_ready: 503,
  not_found: 404,
  forbidden: 403,
  backpressure: 503,
  unauthorized: 401,
  authentication_failed: 401,
  rate_limited: 429,
  // a server that a command connects to
  server_unreachable: 503,
} as const satisfies Record<string, number>;

/** One of the codes of {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS;

/** Options of {@link TaskerError}: the cause, and machine-readable fields such as paths and similar names. */
export interface TaskerErrorOptions {
  cause?: unknown;
  /** Machine-readable details. REST shows them under `error.details`. */
  details?: Record<string, unknown>;
}

// `Symbol.for`, so that two copies of the package in one process recognize each other's errors.
const BRAND = Symbol.for('tasker-core.error');

/**
 * The base class of every error that this package throws.
 *
 * @example
 * try {
 *   await tasker.createTask(request);
 * } catch (error) {
 *   if (error instanceof TaskerError && error.code === 'conflict') return; // the task exists already
 *   throw error;
 * }
 */
export class TaskerError extends Error {
  /** Marks errors of this package, across its copies. A static block would rename the class in the bundle. @internal */
  get [BRAND](): true {
    return true;
  }

  override readonly name: string = 'TaskerError';
  /** The kind of error; see `docs/errors.md`. */
  readonly code: ErrorCode;
  /** Machine-readable details; empty if there are none. */
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, { cause, details = {} }: TaskerErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}

/**
 * Returns whether a value is a {@link TaskerError}, from this copy of the package or another one.
 *
 * @example
 * if (isTaskerError(error) && error.code === 'conflict') console.log(error.details['task_uuid']);
 */
export function isTaskerError(value: unknown): value is TaskerError {
  return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
}

/** Returns the message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/**
 * Thrown when a worker that is not running yet is used.
 *
 * @example
 * if (error instanceof WorkerNotInitializedError) start();
 */
export class WorkerNotInitializedError extends TaskerError {
  override readonly name: string = 'WorkerNotInitializedError';

  constructor(message = 'the worker is not initialized; bootstrap it first', options?: TaskerErrorOptions) {
    super('worker_not_initialized', message, options);
  }
}

/**
 * Thrown when a worker cannot start; `cause` has the reason.
 *
 * @example
 * if (error instanceof WorkerBootstrapError) console.error(error.message, error.cause);
 */
export class WorkerBootstrapError extends TaskerError {
  override readonly name: string = 'WorkerBootstrapError';

  constructor(message: string, options?: TaskerErrorOptions) {
    super('worker_bootstrap', message, options);
  }
}

/**
 * Thrown when a running worker is started again.
 *
 * @example
 * if (error instanceof WorkerAlreadyRunningError) return;
 */
export class WorkerAlreadyRunningError extends TaskerError {
  override readonly name: string = 'WorkerAlreadyRunningError';

  constructor(message = 'the worker is already running; stop it first', options?: TaskerErrorOptions) {
    super('worker_already_running', message, options);
  }
}

/** Options of {@link FFIError}. */
export interface FFIErrorOptions extends TaskerErrorOptions {
  /** Whether the call may succeed if it is repeated; default true. */
  retryable?: boolean;
}

/**
 * Thrown when the bridge between a poller and the worker rejects or loses a call.
 *
 * @example
 * throw new FFIError('the result was not accepted', { retryable: false });
 */
export class FFIError extends TaskerError {
  override readonly name: string = 'FFIError';
  readonly retryable: boolean;

  constructor(message: string, { retryable = true, ...options }: FFIErrorOptions = {}) {
    super('bridge', message, options);
    this.retryable = retryable;
  }
}
