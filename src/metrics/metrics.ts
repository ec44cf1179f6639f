import type { Counter, Gauge, Histogram, Sample } from './instrument.ts';
import { INSTRUMENTS, type Instruments } from './instruments.ts';
import { HistogramTally, NumberTally } from './tallies.ts';

/** The part of a `prom-client` registry that a tasker needs. Works with any copy of `prom-client`. */
export interface MetricsRegistry {
  registerMetric(metric: never): void;
  removeSingleMetric(name: string): void;
}

/** One number of {@link MetricsReport.json}. */
export interface MetricValue {
  value: number;
  metric_type: 'counter' | 'gauge' | 'histogram';
  labels: Record<string, string>;
  help: string;
}

/**
 * Metrics of a tasker since it started: statements, claims, results, handlers, tasks. Available as `tasker.metrics`.
 *
 * @example
 * const { contentType, text } = tasker.metrics;
 */
export interface MetricsReport {
  /** The content type of {@link text}: `text/plain; version=0.0.4; charset=utf-8`. */
  readonly contentType: string;
  /** All instruments in the Prometheus text format. */
  text(): Promise<string>;
  /**
   * All instruments as a plain object, keyed by name and labels in Prometheus notation. Histograms have only their
   * `_sum` and `_count`.
   */
  json(): Promise<Record<string, MetricValue>>;
}

/** The metrics as the other modules of this package use them. */
export interface Metrics extends MetricsReport {
  readonly instruments: Instruments;
  /** Whether metrics are collected. */
  readonly on: boolean;
  /** Adds a function that is called before each report to set gauges. Returns a function that removes it. */
  onCollect(collect: () => void | Promise<void>): () => void;
  /** Removes the instruments from the registry passed to the constructor. */
  close(): void;
}

type Tally = NumberTally | HistogramTally;

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const TALLIES = { counter: NumberTally, gauge: NumberTally, histogram: HistogramTally };

/** An instrument with its values. */
interface Family {
  name: string;
  help: string;
  type: string;
  values: readonly Sample[];
}

function familyOf(tally: Tally): Family {
  const { kind: type, help } = tally.definition;
  return { name: tally.name, help, type, values: tally.samples() };
}

/** An instrument in the form that a `prom-client` registry expects. */
interface Registered {
  name: string;
  get(): Promise<Family & { aggregator: 'sum' }>;
  reset(): void;
}

/** Collects the metrics of one tasker. */
export class TaskerMetrics implements Metrics {
  readonly on = true;
  readonly contentType = CONTENT_TYPE;
  readonly instruments: Instruments;
  readonly #tallies: readonly Tally[];
  readonly #collectors = new Set<() => void | Promise<void>>();
  readonly #registry: MetricsRegistry | undefined;
  #collecting: Promise<void> | undefined;

  /** @throws Error of the registry, if it already has the instruments of another tasker */
  constructor({ registry }: { registry?: MetricsRegistry | undefined } = {}) {
    const tallies = Object.entries(INSTRUMENTS).map(
      ([key, definition]) => [key, new TALLIES[definition.kind](definition)] as const,
    );
    this.#tallies = tallies.map(([, tally]) => tally);
    this.instruments = Object.fromEntries(tallies) as unknown as Instruments;
    if (registry) this.#registerAt(registry);
    this.#registry = registry;
  }

  #registerAt(registry: MetricsRegistry): void {
    const registered: string[] = [];
    try {
      for (const tally of this.#tallies) {
        registry.registerMetric(this.#registered(tally) as never);
        registered.push(tally.name);
      }
    } catch (error) {
      for (const name of registered) registry.removeSingleMetric(name);
      throw error;
    }
  }

  #registered(tally: Tally): Registered {
    return {
      name: tally.name,
      get: async () => {
        await this.#collect();
        return { ...familyOf(tally), aggregator: 'sum' };
      },
      // Resetting a registry does not reset the metrics of the tasker.
      reset: () => {},
    };
  }

  onCollect(collect: () => void | Promise<void>): () => void {
    this.#collectors.add(collect);
    return () => void this.#collectors.delete(collect);
  }

  /** Runs the collectors once for all instruments of a report. */
  #collect(): Promise<void> {
    this.#collecting ??= Promise.all([...this.#collectors].map(async (collect) => collect()))
      .then(() => undefined)
      .finally(() => {
        this.#collecting = undefined;
      });
    return this.#collecting;
  }

  async text(): Promise<string> {
    await this.#collect();
    return prometheusText(this.#tallies.map(familyOf));
  }

  async json(): Promise<Record<string, MetricValue>> {
    await this.#collect();
    const values: Record<string, MetricValue> = {};
    for (const tally of this.#tallies) {
      const { kind, help } = tally.definition;
      for (const { labels, value, metricName = tally.name } of tally.samples()) {
        if (metricName.endsWith('_bucket')) continue;
        const shown = Object.entries(labels).map(([name, label]) => `${name}="${label}"`);
        values[shown.length > 0 ? `${metricName}{${shown.join(',')}}` : metricName] = {
          value,
          metric_type: kind,
          labels: labels as Record<string, string>,
          help,
        };
      }
    }
    return values;
  }

  close(): void {
    for (const { name } of this.#tallies) this.#registry?.removeSingleMetric(name);
  }
}

const NOTHING: Counter & Gauge & Histogram = Object.freeze({
  add: () => {},
  reach: () => {},
  set: () => {},
  observe: () => {},
  clear: () => {},
  of: () => NOTHING,
});

/** Metrics that record nothing. */
export const silentMetrics: Metrics = Object.freeze({
  on: false,
  contentType: CONTENT_TYPE,
  instruments: Object.fromEntries(Object.keys(INSTRUMENTS).map((key) => [key, NOTHING])) as unknown as Instruments,
  onCollect: () => () => {},
  text: async () => '',
  json: async () => ({}),
  close: () => {},
});

/** The Prometheus text format 0.0.4, identical to the output of `prom-client`. */
function prometheusText(families: readonly Family[]): string {
  return `${families.map(textOf).join('\n\n')}\n`;
}

function textOf({ name, help, type, values }: Family): string {
  const lines = values.map(
    ({ labels, value, metricName = name }) => `${metricName}${labelsText(labels)} ${numberText(value)}`,
  );
  return [`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${type}`, ...lines].join('\n');
}

function labelsText(labels: Sample['labels']): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${escaped(String(value)).replaceAll('"', '\\"')}"`,
  );
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}
