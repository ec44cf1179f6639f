import type { TaskerConfig } from '../config/config-keys.ts';
import type { Engine } from '../engine/engine.ts';
import type { EventConsumer } from '../events/delivery/event-consumer.ts';
import type { Logger } from '../logging/logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { Worker } from '../worker/worker.ts';
import type { EventRegistries } from './event-registries.ts';
import type { OpenDatabase } from './open-database.ts';

/** The parts that an assembly passes to a {@link Tasker}. */
export interface TaskerParts extends Partial<EventRegistries> {
  config: Readonly<TaskerConfig>;
  /** The worker's name. */
  name: string;
  open: OpenDatabase;
  engine: Engine;
  registry: HandlerRegistry | undefined;
  /** The folders, files and packages that the handlers were loaded from. */
  handlerPlaces: readonly string[];
  /** Defined if there is a registry. */
  Worker: typeof Worker | undefined;
  logger: Logger;
  metrics: Metrics;
  tracing: Tracing | undefined;
  /** Puts steps on the worker's channel for a poller to read, instead of running them. */
  handOut: boolean;
  templates: readonly TaskTemplate[];
  /** Selects the overrides of templates that are registered later. */
  environment: string;
  /** Whether registered versions of templates keep their content. */
  keepContent: boolean;
  /** Destinations of durable events. */
  sinks: readonly EventConsumer[];
  /** Called after the tasker has stopped. */
  stopped: (() => void) | undefined;
}
