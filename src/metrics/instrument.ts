/** What an instrument counts, and how it is called. */
export interface Definition {
  kind: 'counter' | 'gauge' | 'histogram';
  /** With dots, as OpenTelemetry writes it. */
  name: string;
  /** A sentence without its full stop. */
  help: string;
  labels: readonly string[];
  unit?: 'seconds';
  /** Upper bounds of a histogram's buckets, ascending. */
  buckets?: readonly number[];
}

/** A number that only grows. */
export interface Counter {
  add(count?: number): void;
  /** Takes the total of something that is counted elsewhere. */
  reach(total: number): void;
  /** The counter of these labels, in the order of the definition. Keep it where it is counted often. */
  of(...labels: string[]): Counter;
}

/** A number that is what it is now. */
export interface Gauge {
  set(value: number): void;
  of(...labels: string[]): Gauge;
}

/** How often something lay in which range. */
export interface Histogram {
  observe(value: number): void;
  of(...labels: string[]): Histogram;
}

/** One number, as Prometheus takes it. */
export interface Sample {
  labels: Record<string, string | number>;
  value: number;
  /** Of histograms: the name of the instrument with `_bucket`, `_sum` or `_count`. */
  metricName?: string;
}

/** `tasker.step.claim.duration`, in seconds, is `tasker_step_claim_duration_seconds` to Prometheus. */
export function prometheusName({ name, unit }: Pick<Definition, 'name' | 'unit'>): string {
  return name.replaceAll('.', '_') + (unit ? `_${unit}` : '');
}
