import type { Engine } from '../engine/engine.ts';
import type { EventGroup } from '../engine/events/groups.ts';
import type { MetricsReport } from '../metrics/metrics.ts';
import type { TaskTemplate } from '../template/task-template.ts';

/** The health of a part of the worker. `unknown`: it could not be checked. */
export type CheckStatus = 'healthy' | 'degraded' | 'unhealthy' | 'unknown';

/** The result of checking one part. */
export interface Check {
  status: CheckStatus;
  /** Explains the status where needed. */
  message?: string;
  /** The message with all details. It may name hosts, users and tables, so it is only shown on this machine. */
  detail?: string;
  /** How long the check took, in milliseconds. */
  ms: number;
  checkedAt: Date;
}

/** Checks by the name of the part. */
export type Checks = Readonly<Record<string, Check>>;

/** General information about a worker. */
export interface WorkerFacts {
  workerId: string;
  version: string;
  environment: string;
  /** `starting`, `running`, `shutting_down` … */
  state: string;
  uptimeSeconds: number;
  namespaces: readonly string[];
  databasePoolSize: number;
}

/** The worst of several states. `unknown` is treated as degraded. */
export function worstOf(states: readonly CheckStatus[]): 'healthy' | 'degraded' | 'unhealthy' {
  if (states.includes('unhealthy')) return 'unhealthy';
  return states.includes('degraded') || states.includes('unknown') ? 'degraded' : 'healthy';
}

/** The part of a worker that its HTTP routes need. */
export interface ServedWorker {
  facts(): WorkerFacts;
  /** The checks that must pass for steps to run. Never rejects, and returns in bounded time even without a database. */
  readiness(): Promise<Checks>;
  /** All checks, including the checks of {@link readiness}. */
  details(): Promise<Checks>;
  /** The engine, for access to the worker's templates. @throws TaskerError `not_ready` until the worker runs */
  readonly engine: Engine;
  /** The reasons why the worker cannot run some steps of a template, one line each. */
  handlerProblems(template: TaskTemplate): Promise<string[]>;
  /** The metrics of the worker. */
  metrics: MetricsReport;
  /** The groups of domain events; null if the database does not respond in time. */
  eventGroups(): Promise<readonly EventGroup[] | null>;
  /** The number of listeners for fast events of this process. */
  eventListeners(): number;
  /** The effective configuration with secrets hidden. If undefined, `/config` is not served. */
  config?: () => Record<string, unknown>;
}
