import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { prometheusName } from '../../src/metrics/instrument.ts';
import { INSTRUMENTS } from '../../src/metrics/instruments.ts';
import { describeWith, programPath } from '../support/suite/programs.ts';

const RULES = 'deploy/prometheus/alerts.yml';
const DASHBOARD = 'deploy/grafana/tasker.json';

/** The labels of each metric, by the name under which Prometheus stores it. */
const METRICS = new Map(
  Object.values(INSTRUMENTS).flatMap((definition) => {
    const suffixes = definition.kind === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    const own = definition.kind === 'histogram' ? [...definition.labels, 'le'] : definition.labels;
    return suffixes.map((suffix) => [`${prometheusName(definition)}${suffix}`, own as readonly string[]] as const);
  }),
);
/** Labels that Prometheus adds to each scraped metric. */
const OF_PROMETHEUS = ['instance', 'job'];

interface Rules {
  groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[];
}

interface Panel {
  title: string;
  targets: { expr: string; legendFormat: string }[];
}

const rules = (parse(readFileSync(RULES, 'utf8')) as Rules).groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as {
  panels: Panel[];
  templating: { list: { query: string | { query: string } }[] };
};

/** Returns the metrics in an expression, each with the labels by which the expression selects. */
function selectors(expr: string): [metric: string, labels: string[]][] {
  return [...expr.matchAll(/\b(tasker_\w+)(?:\{([^}]*)\})?/g)].map(([, metric = '', selected = '']) => [
    metric,
    [...selected.matchAll(/(\w+)\s*=~?/g)].map(([, label = '']) => label),
  ]);
}

/** Returns the reasons why an expression cannot match a metric of a tasker. */
function faults(expr: string): string[] {
  const used = selectors(expr);
  const known = new Set(used.flatMap(([metric]) => METRICS.get(metric) ?? []));
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(/,\s*/));
  return [
    ...(used.length === 0 ? ['it names no metric'] : []),
    ...used.filter(([metric]) => !METRICS.has(metric)).map(([metric]) => `there is no metric ${metric}`),
    ...used.flatMap(([metric, labels]) =>
      labels.filter((label) => !METRICS.get(metric)?.includes(label)).map((label) => `${metric} has no label ${label}`),
    ),
    ...grouped
      .filter((label) => !known.has(label) && !OF_PROMETHEUS.includes(label))
      .map((label) => `no metric has the label ${label}`),
  ];
}

describe('the alert rules', () => {
  it('name only metrics and labels that exist', () => {
    expect(rules.length).toBeGreaterThan(5);
    expect(rules.flatMap(({ alert, expr }) => faults(expr).map((fault) => `${alert}: ${fault}`))).toEqual([]);
  });

  it('have a summary and a description that use only labels of the expression', () => {
    for (const { alert, expr, annotations } of rules) {
      expect(Object.keys(annotations), alert).toEqual(['summary', 'description']);
      const kept = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(/,\s*/));
      const shown = [...JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
      expect(kept, alert).toEqual(expect.arrayContaining(shown));
    }
  });
});

describe('the dashboard', () => {
  it('names only metrics and labels that exist', () => {
    const { panels, templating } = dashboard;
    const variables = templating.list.map(({ query }) => (typeof query === 'string' ? query : query.query));
    expect(variables.flatMap((query) => selectors(query).filter(([metric]) => !METRICS.has(metric)))).toEqual([]);
    expect(panels.length).toBeGreaterThan(10);
    const found = panels.flatMap(({ title, targets }) =>
      targets.flatMap(({ expr }) => faults(expr).map((fault) => `${title}: ${fault}`)),
    );
    expect(found).toEqual([]);
  });

  it('has panels that do not overlap', () => {
    const cells = (dashboard.panels as (Panel & { gridPos: { x: number; y: number; w: number; h: number } })[]).flatMap(
      ({ gridPos: { x, y, w, h } }) =>
        Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });
});

describeWith('promtool', 'promtool', () => {
  it('promtool accepts the alert rules', async () => {
    const run = promisify(execFile)(programPath('promtool')!, ['check', 'rules', '--lint=all', '--lint-fatal', RULES]);
    expect((await run).stdout).toContain(`${rules.length} rules found`);
  });
});
