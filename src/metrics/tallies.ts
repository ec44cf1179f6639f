import {
  type Counter,
  type Definition,
  type Gauge,
  type Histogram,
  prometheusName,
  type Sample,
} from './instrument.ts';

/** The values for one set of labels. */
interface Series {
  samples(name: string, labels: Record<string, string>): Sample[];
}

/** An instrument with its series, one for each set of labels that was used. */
abstract class Instrument<S extends Series> {
  readonly definition: Definition;
  readonly name: string;
  readonly #series = new Map<string, { labels: readonly string[]; series: S }>();
  readonly #made: () => S;
  #plain: S | undefined;

  constructor(definition: Definition, made: () => S) {
    this.definition = definition;
    this.name = prometheusName(definition);
    this.#made = made;
  }

  /** The series of an instrument without labels. */
  protected get plain(): S {
    this.#plain ??= this.of();
    return this.#plain;
  }

  of(...labels: string[]): S {
    const key = labels.length === 1 ? labels[0]! : labels.join('\0');
    let known = this.#series.get(key);
    if (!known) {
      known = { labels, series: this.#made() };
      this.#series.set(key, known);
    }
    return known.series;
  }

  clear(): void {
    this.#series.clear();
    this.#plain = undefined;
  }

  samples(): Sample[] {
    const { labels: names, kind } = this.definition;
    // A counter is also reported at zero. A gauge has no value before it is set.
    if (names.length === 0 && kind !== 'gauge') this.of();
    return [...this.#series.values()].flatMap(({ labels, series }) =>
      series.samples(this.name, Object.fromEntries(names.map((name, i) => [name, labels[i] ?? '']))),
    );
  }
}

/** A plain field, so that counting costs almost nothing. The value is formatted when metrics are read. */
class NumberSeries implements Counter, Gauge {
  value = 0;

  add(count = 1): void {
    this.value += count;
  }

  reach(total: number): void {
    this.value = total;
  }

  set(value: number): void {
    this.value = value;
  }

  of(): this {
    return this;
  }

  clear(): void {
    this.value = 0;
  }

  samples(_name: string, labels: Record<string, string>): Sample[] {
    return [{ labels, value: this.value }];
  }
}

class HistogramSeries {
  readonly #bounds: readonly number[];
  /** Counts per bucket, not cumulative. The last bucket is for values above all bounds. */
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > this.#bounds[at]!) at++;
    this.#counts[at]!++;
    this.#sum += value;
  }

  of(): this {
    return this;
  }

  samples(name: string, labels: Record<string, string>): Sample[] {
    let count = 0;
    const buckets = this.#counts.map((more, i) => {
      count += more;
      return { labels: { le: this.#bounds[i] ?? '+Inf', ...labels }, value: count, metricName: `${name}_bucket` };
    });
    return [
      ...buckets,
      { labels, value: this.#sum, metricName: `${name}_sum` },
      { labels, value: count, metricName: `${name}_count` },
    ];
  }
}

/** A counter or a gauge. */
export class NumberTally extends Instrument<NumberSeries> implements Counter, Gauge {
  constructor(definition: Definition) {
    super(definition, () => new NumberSeries());
  }

  add(count = 1): void {
    this.plain.add(count);
  }

  reach(total: number): void {
    this.plain.reach(total);
  }

  set(value: number): void {
    this.plain.set(value);
  }
}

/** A histogram. */
export class HistogramTally extends Instrument<HistogramSeries> implements Histogram {
  constructor(definition: Definition) {
    super(definition, () => new HistogramSeries(definition.buckets ?? []));
  }

  observe(value: number): void {
    this.plain.observe(value);
  }
}
