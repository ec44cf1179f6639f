import type { Sample } from './instrument.ts';

/** An instrument with its numbers. */
export interface Family {
  name: string;
  help: string;
  type: string;
  values: readonly Sample[];
}

/** The Prometheus text format 0.0.4, identical to the output of `prom-client`. */
export function prometheusText(families: readonly Family[]): string {
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
