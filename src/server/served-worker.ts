import type { MetricsReport } from '../metrics/metrics.ts';
import type { JsonObject } from '../template/task-template.ts';

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

/** A registered template, as lists show it. */
export interface TemplateSummary {
  namespace: string;
  name: string;
  version: string;
  description: string | null;
  stepCount: number;
}

/** Which template. */
export interface TemplateName {
  namespace: string;
  name: string;
  version: string;
}

/** A registered template with what the worker knows of it. */
export interface TemplateDetail extends TemplateName {
  /** As it is stored: keys in snake_case. */
  template: JsonObject;
  /** The handlers that its steps name, once each. */
  callables: readonly string[];
  /** Of the copy in memory. */
  cached: { ageSeconds: number; uses: number };
}

/** What a worker keeps of templates in memory. */
export interface TemplateCacheStats {
  /** Names and versions that are kept. */
  cached: number;
  /** Look-ups, when a task is created or one asks for a template: answered from memory, or by the database. */
  hits: number;
  misses: number;
  evictions: number;
  /** Null: none is kept. */
  oldestAgeSeconds: number | null;
  averageUses: number;
  namespaces: readonly string[];
}

/** Whether a worker can run a template. */
export interface TemplateVerdict {
  errors: readonly string[];
  callables: readonly string[];
}

/** A group of subscribers to durable events, of this process or others, and how far it came. */
export interface EventGroupFacts {
  name: string;
  patterns: readonly string[];
  waiting: number;
  secondsBehind: number;
  retrying: number;
  dead: number;
  /** Processes that work for it. */
  members: number;
  membersDiffer: boolean;
}

/** What the REST of a worker needs of the worker. */
export interface ServedWorker {
  facts(): WorkerFacts;
  /** What must hold so that steps are run. Never rejects, and is bounded in time whatever the database does. */
  readiness(): Promise<Checks>;
  /** The same and everything else that is looked at. */
  details(): Promise<Checks>;
  templates(): Promise<TemplateSummary[]>;
  templateCache(): TemplateCacheStats;
  /** @throws TaskerError `template_not_found`, with near names */
  template(name: TemplateName): Promise<TemplateDetail>;
  /** @throws TaskerError `template_not_found` */
  validate(name: TemplateName): Promise<TemplateVerdict>;
  /** What it counted. */
  metrics: MetricsReport;
  /** Null: the database does not answer in time. */
  eventGroups(): Promise<readonly EventGroupFacts[] | null>;
  /** Who is told of the fast events of this process. */
  eventListeners(): number;
  /** The effective configuration, secrets hidden; absent: it is not shown. */
  config?: () => Record<string, unknown>;
}
