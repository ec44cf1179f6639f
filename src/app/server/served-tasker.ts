import { packageVersion } from '../../config/package-version.ts';
import type { Engine } from '../../engine/engine.ts';
import type { EventGroup } from '../../engine/events/groups.ts';
import { TaskerError } from '../../errors.ts';
import { type MetricsReport, silentMetrics } from '../../metrics/metrics.ts';
import { checkHandlers } from '../../registry/check-handlers.ts';
import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import type { Check, Checks, ServedWorker, WorkerFacts } from '../../server/served-worker.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { SingleFlight } from '../../time/single-flight.ts';
import type { Tasker } from '../tasker.ts';
import { now, WorkerHealth } from './worker-health.ts';

/** How long a request for the positions of groups waits for the database. */
const GROUPS_MS = 2_000;
/** Requests within this time share one result. */
const FRESH_MS = 1_000;

/** Options of a {@link ServedTasker}. */
export interface ServedTaskerParts {
  workerId: string;
  environment: string;
  /** The state: `starting`, `running`, `shutting_down` and so on. */
  state: () => string;
  /** The configuration without secrets; undefined if it must not be shown. */
  config: (() => Record<string, unknown>) | undefined;
}

/** Reports on a worker, for its port and for programs. Until its tasker has started, the reports are incomplete. */
export class ServedTasker implements ServedWorker {
  readonly #parts: ServedTaskerParts;
  readonly #since = performance.now();
  readonly #version = packageVersion();
  readonly config?: () => Record<string, unknown>;
  #tasker: Tasker | undefined;
  #registry: HandlerRegistry | undefined;
  #health: WorkerHealth | undefined;
  #groups: SingleFlight<readonly EventGroup[]> | undefined;

  constructor(parts: ServedTaskerParts) {
    this.#parts = parts;
    if (parts.config) this.config = parts.config;
  }

  /** Starts reporting on a started tasker. */
  serve(tasker: Tasker, registry: HandlerRegistry): void {
    this.#health = new WorkerHealth(tasker);
    this.#groups = new SingleFlight(() => tasker.events.groups(), { freshMs: FRESH_MS });
    this.#registry = registry;
    this.#tasker = tasker;
  }

  get metrics(): MetricsReport {
    return this.#tasker?.metrics ?? silentMetrics;
  }

  facts(): WorkerFacts {
    const { workerId, environment, state } = this.#parts;
    return {
      workerId,
      version: this.#version,
      environment,
      state: state(),
      uptimeSeconds: Math.round(performance.now() - this.#since) / 1000,
      namespaces: this.#tasker?.vitals.namespaces ?? [],
      databasePoolSize: this.#tasker?.vitals.poolSize ?? 0,
    };
  }

  async readiness(): Promise<Checks> {
    return this.#withState(await this.#health?.readiness());
  }

  /** Undefined until the worker runs. */
  async database(): Promise<Check | undefined> {
    return this.#health?.database();
  }

  async details(): Promise<Checks> {
    return this.#withState(await this.#health?.details());
  }

  /**
   * Adds a failed check while the worker starts or stops. The worker is then not ready, even if all its parts are
   * healthy.
   */
  #withState(checks: Checks = {}): Checks {
    const state = this.#parts.state();
    if (state === 'running') return checks;
    const worker: Check = now('unhealthy', `the worker is ${state.replace('_', ' ')}`);
    return { ...checks, command_processor: worker };
  }

  async eventGroups(): Promise<readonly EventGroup[] | null> {
    const seen = await this.#groups?.within(GROUPS_MS);
    return seen?.kind === 'seen' ? seen.value : null;
  }

  eventListeners(): number {
    return this.#tasker?.eventBus.listeners ?? 0;
  }

  get engine(): Engine {
    if (this.#tasker) return this.#tasker.engine;
    throw new TaskerError('not_ready', `the worker is ${this.#parts.state()}; try again when it is running`);
  }

  async handlerProblems(template: TaskTemplate): Promise<string[]> {
    const problems = await checkHandlers(this.#registry!, [template]);
    return problems.map(({ message, steps }) => `${steps.join(', ')}: ${message}`);
  }
}
