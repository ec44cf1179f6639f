import { TaskerError } from '../../errors.ts';
import type { EventBridge } from './event-bridge.ts';

/** Options of an {@link EventPoller}. */
export interface EventPollerConfig {
  /**
   * Milliseconds, default 10: the unit of the intervals below, and how often a module that is not of this process is
   * asked. The worker of this process wakes its poller, so that no step waits for it.
   */
  pollingIntervalMs?: number;
  /** The same as `pollingIntervalMs`. */
  pollIntervalMs?: number;
  /** Intervals between looks for events that wait for too long; default 100. */
  starvationCheckInterval?: number;
  /** Intervals between clean-ups of events that were read and that nobody completed; default 1000. */
  cleanupInterval?: number;
  /** Intervals between metrics; default 100. */
  metricsInterval?: number;
  /** Events that are delivered before others get their turn; default 100. */
  maxEventsPerCycle?: number;
}

/** Options of an {@link EventPoller} of this process. */
export interface EventPollerOptions extends EventPollerConfig {
  /** Where it publishes; default `EventBridge.instance()`. */
  eventBridge?: EventBridge;
}

/** All of them, checked. */
export type PollerSettings = Required<Omit<EventPollerConfig, 'pollIntervalMs'>>;

const DEFAULTS: PollerSettings = {
  pollingIntervalMs: 10,
  starvationCheckInterval: 100,
  cleanupInterval: 1000,
  metricsInterval: 100,
  maxEventsPerCycle: 100,
};

/** @throws TaskerError `config_invalid` */
export function pollerSettings({ pollIntervalMs, ...config }: EventPollerConfig): PollerSettings {
  const given = { ...config, pollingIntervalMs: config.pollingIntervalMs ?? pollIntervalMs };
  const settings = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS) as (keyof PollerSettings)[]) {
    const value = given[key] ?? DEFAULTS[key];
    if (!Number.isInteger(value) || value < 1 || value > 1_000_000) {
      throw new TaskerError(
        'config_invalid',
        `EventPoller: ${key} must be a whole number from 1 to 1000000, got ${value}`,
      );
    }
    settings[key] = value;
  }
  return settings;
}
