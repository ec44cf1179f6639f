import type { LogFilter } from './log-filter.ts';
import type { WebhookConfig } from './webhook-config.ts';

/** An address to listen on. */
export interface ListenAddress {
  host: string;
  /** 0: any that is free. */
  port: number;
}

/**
 * The configuration that a program runs with: what its file, its environment and its options say, defaults filled in.
 * Made by {@link loadConfig}. Times in milliseconds. Members that `createTasker` has as options have the same names.
 *
 * @example
 * const config: TaskerConfig = loadConfig().config;
 * console.log(config.environment, config.concurrency);
 */
export interface TaskerConfig {
  /** Which overrides of templates, and which layer of a configuration folder, apply. */
  environment: string;
  /** Undefined: the embedded server. */
  databaseUrl: string | undefined;
  /** Undefined: the same as `databaseUrl`. */
  databaseDirectUrl: string | undefined;
  /** The embedded server is wanted even in production. */
  embedded: boolean;
  embeddedFolder: string;
  /** Several statements in one round trip. */
  pipeline: boolean;
  poolSize: number;
  acquireTimeoutMs: number;
  idleTimeoutMs: number;
  /** The worker's name; undefined: host and process id. */
  name: string | undefined;
  /** Undefined: those of the templates. */
  namespaces: string[] | undefined;
  concurrency: number;
  leaseMs: number;
  /** 0: a blocked event loop keeps no lease. */
  blockedLoopBoundMs: number;
  /** Undefined: one a core. */
  threads: number | undefined;
  /** Undefined: as Node does it. */
  threadMemoryMb: number | undefined;
  /** 0: none. */
  handlerTimeoutMs: number;
  handlerMissingGraceMs: number;
  /** Undefined: 2,000, and 1,000 while no notification can arrive. */
  pollMs: number | undefined;
  drainTimeoutMs: number;
  stepsPerDecision: number;
  decisionDepth: number;
  workersPerBatch: number;
  /** Folders and files; empty: there are none. */
  templatePaths: string[];
  handlerPaths: string[];
  log: LogFilter;
  /** False: the worker opens no port. */
  webEnabled: boolean;
  webAddress: ListenAddress;
  /** Whether the worker answers `GET /config`. */
  webConfigEndpoint: boolean;
  /** How old a domain event becomes that every group has passed. */
  eventRetentionMs: number;
  /** Deliveries of an event to a subscriber before it is given up. */
  eventMaxDeliveries: number;
  /** How long one of them may take. */
  eventTimeoutMs: number;
  /** Events of different tasks that a group handles at once, in one process. */
  eventConcurrency: number;
  webhooks: WebhookConfig[];
  /** Undefined: events do not go to RabbitMQ. */
  rabbitmqUrl: string | undefined;
  rabbitmqGroup: string;
  rabbitmqPatterns: string[];
  rabbitmqFrom: 'now' | 'beginning';
  rabbitmqMaxDeliveries: number;
}
