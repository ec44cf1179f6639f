import type { Engine } from '../engine/engine.ts';
import type { EventGroup } from '../engine/events/acts.ts';
import type { MetricsReport } from '../metrics/metrics.ts';
import type { TaskTemplate } from '../template/task-template.ts';

/** How well a part of the worker does. `unknown`: it could not be looked at. */
export type CheckStatus = 'healthy' | 'degraded' | 'unhealthy' | 'unknown';

/** What a look at one part came to. */
export interface Check {
  status: CheckStatus;
  /** What was seen, where the status does not say it all. */
  message?: string;
  /** The same with all particulars: it may name hosts, users and tables, so it is for this machine only. */
  detail?: string;
  /** How long the look took, in milliseconds. */
  ms: number;
  checkedAt: Date;
}

/** Looks at several parts, by the part's name. */
export type Checks = Readonly<Record<string, Check>>;

/** What a worker says of itself. */
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

/** The worst of some states; one that is unknown counts as degraded. */
export function worstOf(states: readonly CheckStatus[]): 'healthy' | 'degraded' | 'unhealthy' {
  if (states.includes('unhealthy')) return 'unhealthy';
  return states.includes('degraded') || states.includes('unknown') ? 'degraded' : 'healthy';
}

/** What the REST of a worker needs of the worker. */
export interface ServedWorker {
  facts(): WorkerFacts;
  /** What must hold so that steps are run. Never rejects, and is bounded in time whatever the database does. */
  readiness(): Promise<Checks>;
  /** The same and everything else that is looked at. */
  details(): Promise<Checks>;
  /** For its templates. @throws TaskerError `not_ready` until it runs */
  readonly engine: Engine;
  /** Why it can't run some steps of a template, one line for each reason. */
  handlerProblems(template: TaskTemplate): Promise<string[]>;
  /** What it counted. */
  metrics: MetricsReport;
  /** Null: the database does not answer in time. */
  eventGroups(): Promise<readonly EventGroup[] | null>;
  /** Who is told of the fast events of this process. */
  eventListeners(): number;
  /** The effective configuration, secrets hidden; absent: it is not shown. */
  config?: () => Record<string, unknown>;
}
