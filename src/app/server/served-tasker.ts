import { hostname } from 'node:os';
import { packageVersion } from '../../config/package-version.ts';
import { TaskerError } from '../../errors.ts';
import { type MetricsReport, silentMetrics } from '../../metrics/metrics.ts';
import { checkHandlers } from '../../registry/check-handlers.ts';
import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import type {
  Check,
  Checks,
  EventGroupFacts,
  ServedWorker,
  TemplateCacheStats,
  TemplateDetail,
  TemplateName,
  TemplateSummary,
  TemplateVerdict,
  WorkerFacts,
} from '../../server/served-worker.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { templateToJson } from '../../template/template-json.ts';
import { SingleFlight } from '../../time/single-flight.ts';
import type { Tasker } from '../tasker.ts';
import type { ServerSettings } from './server-config.ts';
import { shownConfig } from './shown-config.ts';
import { now, WorkerHealth } from './worker-health.ts';

/** A database that takes longer is as good as gone, for who asks how far groups are. */
const GROUPS_MS = 2_000;
/** Probes that come closer together than this get the same answer. */
const FRESH_MS = 1_000;

/** Of its settings, what a worker tells over HTTP. */
export type ServedSettings = Pick<ServerSettings, 'loaded' | 'tasker' | 'handlers' | 'environment' | 'web'>;

/** What a {@link ServedTasker} is made from. */
export interface ServedTaskerParts {
  settings: ServedSettings;
  registry: HandlerRegistry;
  state: () => string;
}

/** A tasker as the REST of a worker sees it; until it has started there is little to see. */
export class ServedTasker implements ServedWorker {
  readonly #parts: ServedTaskerParts;
  readonly #since = performance.now();
  readonly #version = packageVersion();
  readonly #workerId: string;
  readonly config?: () => Record<string, unknown>;
  #tasker: Tasker | undefined;
  #health: WorkerHealth | undefined;
  #groups: SingleFlight<readonly EventGroupFacts[]> | undefined;

  constructor(parts: ServedTaskerParts) {
    this.#parts = parts;
    this.#workerId = parts.settings.loaded.config.name ?? `${hostname()}-${process.pid}`;
    if (parts.settings.web?.showConfig) this.config = () => shownConfig(parts.settings);
  }

  /** From now on there is something to see. */
  serve(tasker: Tasker): void {
    this.#health = new WorkerHealth(tasker);
    this.#groups = new SingleFlight(() => tasker.events.groups(), { freshMs: FRESH_MS });
    this.#tasker = tasker;
  }

  get metrics(): MetricsReport {
    return this.#tasker?.metrics ?? silentMetrics;
  }

  facts(): WorkerFacts {
    return {
      workerId: this.#workerId,
      version: this.#version,
      environment: this.#parts.settings.environment,
      state: this.#parts.state(),
      uptimeSeconds: Math.round(performance.now() - this.#since) / 1000,
      namespaces: this.#tasker?.vitals.namespaces ?? [],
      databasePoolSize: this.#tasker?.vitals.poolSize ?? 0,
    };
  }

  async readiness(): Promise<Checks> {
    return this.#unlessElsewhere(await this.#health?.readiness());
  }

  async details(): Promise<Checks> {
    return this.#unlessElsewhere(await this.#health?.details());
  }

  /** A worker that starts or stops is not ready, however well its parts do. */
  #unlessElsewhere(checks: Checks = {}): Checks {
    const state = this.#parts.state();
    if (state === 'running') return checks;
    const worker: Check = now('unhealthy', `the worker is ${state.replace('_', ' ')}`);
    return { ...checks, command_processor: worker };
  }

  async eventGroups(): Promise<readonly EventGroupFacts[] | null> {
    const seen = await this.#groups?.within(GROUPS_MS);
    return seen?.kind === 'seen' ? seen.value : null;
  }

  eventListeners(): number {
    return this.#tasker?.eventBus.listeners ?? 0;
  }

  async templates(): Promise<TemplateSummary[]> {
    const rows = await this.#running().engine.templates.list();
    return rows.map(({ namespace, name, version, description, steps }) => ({
      namespace,
      name,
      version,
      description,
      stepCount: steps,
    }));
  }

  async template(name: TemplateName): Promise<TemplateDetail> {
    const template = await this.#template(name);
    const { ageSeconds = 0, uses = 1 } = this.#running().engine.templates.keptOf(name) ?? {};
    const cached = { ageSeconds, uses };
    return { ...name, template: templateToJson(template), callables: callablesOf(template), cached };
  }

  templateCache(): TemplateCacheStats {
    const { engine, vitals } = this.#running();
    return { ...engine.templates.kept, namespaces: vitals.namespaces };
  }

  async validate(name: TemplateName): Promise<TemplateVerdict> {
    const template = await this.#template(name);
    const problems = await checkHandlers(this.#parts.registry, [template]);
    const errors = problems.map(({ message, steps }) => `${steps.join(', ')}: ${message}`);
    return { errors, callables: callablesOf(template) };
  }

  async #template({ namespace, name, version }: TemplateName): Promise<TaskTemplate> {
    return (await this.#running().engine.templates.newest(namespace, name, version)).template;
  }

  #running(): Tasker {
    if (this.#tasker) return this.#tasker;
    throw new TaskerError('not_ready', `the worker is ${this.#parts.state()}; ask again when it runs`);
  }
}

function callablesOf(template: TaskTemplate): string[] {
  return [...new Set(template.steps.map(({ handler }) => handler.callable))];
}
