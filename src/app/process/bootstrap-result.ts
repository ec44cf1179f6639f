/** What {@link bootstrapWorker} came to. */
export interface BootstrapResult {
  /** Whether a worker runs now: `started`, or `already_running`. */
  success: boolean;
  status: 'started' | 'already_running' | 'error';
  message: string;
  /** Absent with `error`. */
  workerId?: string;
  /** Why there is none, in one text. */
  error?: string;
  /** The error itself. */
  cause?: unknown;
}

/** What {@link stopWorker} came to. */
export interface StopResult {
  success: boolean;
  status: 'stopped' | 'not_running' | 'error';
  message: string;
  workerId?: string;
  error?: string;
}

/** What {@link getWorkerStatus} tells. Members after `running` are absent while no worker runs. */
export interface WorkerStatus {
  success: boolean;
  running: boolean;
  /** `starting`, `running`, `stopping` or `stopped`. */
  status?: string;
  workerId?: string;
  /** What `TASKER_ENV` says. */
  environment?: string;
  /** `healthy`, or `degraded` while the worker can't prove that it lives. */
  workerCoreStatus?: string;
  /** Whether health, metrics and templates are answered over HTTP. */
  webApiEnabled?: boolean;
  /** Where: `http://127.0.0.1:8081`. Absent without a port. */
  webUrl?: string;
  supportedNamespaces?: string[];
  /** Connections at most. */
  databasePoolSize?: number;
  /** Open connections that do nothing right now. */
  databasePoolIdle?: number;
}
