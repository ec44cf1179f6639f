/** The definition of an instrument. */
export interface Definition {
  kind: 'counter' | 'gauge' | 'histogram';
  /** With dots, as in OpenTelemetry. */
  name: string;
  /** One sentence without a full stop. */
  help: string;
  labels: readonly string[];
  unit?: 'seconds';
  /** Upper bounds of a histogram's buckets, ascending. */
  buckets?: readonly number[];
}

/** A number that only increases. */
export interface Counter {
  add(count?: number): void;
  /** Sets the total of a value that is counted elsewhere. */
  reach(total: number): void;
  /**
   * The counter for these label values, in the order of the definition. Keep a reference to a counter that is used
   * often.
   */
  of(...labels: string[]): Counter;
}

/** A number that can rise and fall. */
export interface Gauge {
  set(value: number): void;
  of(...labels: string[]): Gauge;
  /** Removes all values, until they are set again. */
  clear(): void;
}

/** The distribution of a value over ranges. */
export interface Histogram {
  observe(value: number): void;
  of(...labels: string[]): Histogram;
}

/** One value in the form of Prometheus. */
export interface Sample {
  labels: Record<string, string | number>;
  value: number;
  /** For histograms: the name of the instrument with `_bucket`, `_sum` or `_count`. */
  metricName?: string;
}

/** The Prometheus name: `tasker.step.claim.duration`, in seconds, becomes `tasker_step_claim_duration_seconds`. */
export function prometheusName({ name, unit }: Pick<Definition, 'name' | 'unit'>): string {
  return name.replaceAll('.', '_') + (unit ? `_${unit}` : '');
}
