import { type Counter, type Definition, type Gauge, type Histogram, Instrument, type Sample } from './instrument.ts';

/** Counting must cost nothing that is felt beside a step, so it is a sum in a field; Prometheus reads it when it asks. */
class CountSeries {
  value = 0;

  add(count = 1): void {
    this.value += count;
  }

  reach(total: number): void {
    this.value = total;
  }

  of(): this {
    return this;
  }

  samples(_name: string, labels: Record<string, string>): Sample[] {
    return [{ labels, value: this.value }];
  }
}

class GaugeSeries {
  value = 0;

  set(value: number): void {
    this.value = value;
  }

  of(): this {
    return this;
  }

  samples(_name: string, labels: Record<string, string>): Sample[] {
    return [{ labels, value: this.value }];
  }
}

class HistogramSeries {
  readonly #bounds: readonly number[];
  /** Per bucket, not cumulative; the last holds what lies above all bounds. */
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

/** A counter; without labels it has one series from the beginning, so that zero is seen too. */
export class CounterTally extends Instrument<CountSeries> implements Counter {
  readonly #plain: CountSeries | undefined;

  constructor(definition: Definition) {
    super(definition);
    if (definition.labels.length === 0) this.#plain = this.of();
  }

  protected made(): CountSeries {
    return new CountSeries();
  }

  add(count = 1): void {
    (this.#plain ?? this.of()).add(count);
  }

  reach(total: number): void {
    (this.#plain ?? this.of()).reach(total);
  }
}

/** A gauge. */
export class GaugeTally extends Instrument<GaugeSeries> implements Gauge {
  protected made(): GaugeSeries {
    return new GaugeSeries();
  }

  set(value: number): void {
    this.of().set(value);
  }
}

/** A histogram. */
export class HistogramTally extends Instrument<HistogramSeries> implements Histogram {
  readonly #plain: HistogramSeries | undefined;

  constructor(definition: Definition) {
    super(definition);
    if (definition.labels.length === 0) this.#plain = this.of();
  }

  protected made(): HistogramSeries {
    return new HistogramSeries(this.definition.buckets ?? []);
  }

  observe(value: number): void {
    (this.#plain ?? this.of()).observe(value);
  }
}
