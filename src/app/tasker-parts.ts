import type { TaskerConfig } from '../config/config-keys.ts';
import type { Engine } from '../engine/engine.ts';
import type { EventConsumer } from '../events/delivery/event-consumer.ts';
import type { Logger } from '../logging/logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { EventRegistries } from './event-registries.ts';
import type { OpenDatabase } from './open-database.ts';

/** What a {@link Tasker} is made from; an assembly makes it. */
export interface TaskerParts extends EventRegistries {
  config: Readonly<TaskerConfig>;
  /** The name of the worker. */
  name: string;
  open: OpenDatabase;
  engine: Engine;
  registry: HandlerRegistry | undefined;
  logger: Logger;
  metrics: Metrics;
  tracing: Tracing | undefined;
  /** Steps are handed out as events, instead of being run by the worker itself. */
  handOut: boolean;
  templates: readonly TaskTemplate[];
  /** The environment whose overrides apply to templates that are registered later. */
  environment: string;
  /** Where durable events are brought to. */
  sinks: readonly EventConsumer[];
  /** Called when it has stopped. */
  stopped: (() => void) | undefined;
}
