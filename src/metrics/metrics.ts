import type { Counter, Gauge, Histogram, Sample } from './instrument.ts';
import { INSTRUMENTS, type Instruments } from './instruments.ts';
import { HistogramTally, NumberTally } from './tallies.ts';

/** What a tasker needs of a registry of `prom-client`, whichever copy of it that is from. */
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
 * What a tasker counted since it began: statements, claims, results, handlers, tasks. Found at `tasker.metrics`.
 *
 * @example
 * const { contentType, text } = tasker.metrics;
 */
export interface MetricsReport {
  /** That of {@link text}: `text/plain; version=0.0.4; charset=utf-8`. */
  readonly contentType: string;
  /** All instruments in the form that Prometheus reads. */
  text(): Promise<string>;
  /**
   * The same as a plain object, by name and labels as Prometheus writes them. A histogram is there by its `_sum` and
   * `_count`.
   */
  json(): Promise<Record<string, MetricValue>>;
}

/** Where the rooms of this package count. */
export interface Metrics extends MetricsReport {
  readonly instruments: Instruments;
  /** Whether anything is counted. */
  readonly on: boolean;
  /** Called before each report, to set gauges. Answers with what takes it away again. */
  onCollect(collect: () => void | Promise<void>): () => void;
  /** Takes the instruments out of the registry that was given. */
  close(): void;
}

type Tally = NumberTally | HistogramTally;

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const TALLIES = { counter: NumberTally, gauge: NumberTally, histogram: HistogramTally };

/** An instrument with its numbers. */
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

/** An instrument as a registry of `prom-client` sees its own. */
interface Registered {
  name: string;
  get(): Promise<Family & { aggregator: 'sum' }>;
  reset(): void;
}

/** Counts, for one tasker. */
export class TaskerMetrics implements Metrics {
  readonly on = true;
  readonly contentType = CONTENT_TYPE;
  readonly instruments: Instruments;
  readonly #tallies: readonly Tally[];
  readonly #collectors = new Set<() => void | Promise<void>>();
  readonly #registry: MetricsRegistry | undefined;
  #collecting: Promise<void> | undefined;

  /** @throws Error of the registry, when it has instruments of another tasker already */
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
      // What was counted is not a registry's to forget: whoever resets his own starts from the values as they are.
      reset: () => {},
    };
  }

  onCollect(collect: () => void | Promise<void>): () => void {
    this.#collectors.add(collect);
    return () => void this.#collectors.delete(collect);
  }

  /** Once for all instruments of a report. */
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
  of: () => NOTHING,
});

/** Counts nothing. */
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
