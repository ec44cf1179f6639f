import { handlesFailures } from '../model/routes.ts';
import type { StepType, TaskTemplate } from './task-template.ts';
import { graphOf } from './template-graph.ts';

/** The brackets around a node's label, which determine its shape in mermaid. */
const SHAPES: Record<StepType, readonly [string, string]> = {
  standard: ['[', ']'],
  decision: ['{', '}'],
  deferred_convergence: ['{{', '}}'],
  batchable: ['[[', ']]'],
  batch_worker: ['([', '])'],
  timer: ['((', '))'],
  signal: ['>', ']'],
  approval: ['[/', '/]'],
  task: ['[(', ')]'],
  fail: ['[\\', '\\]'],
  for_each: ['[[', ']]'],
};

/** Colors by the state of a step. Other states have no color. */
const COLORS: readonly (readonly [states: readonly string[], style: string])[] = [
  [['complete', 'resolved_manually'], 'fill:#d3f3d9,stroke:#2b8a3e,color:#1b4332'],
  [['in_progress', 'enqueued'], 'fill:#d0e8ff,stroke:#1971c2,color:#0b3d66'],
  [['waiting_for_retry', 'waiting'], 'fill:#fff0c2,stroke:#b08900,color:#5c4700'],
  [['error'], 'fill:#ffd9d9,stroke:#c92a2a,color:#7a1515'],
  [['cancelled', 'skipped'], 'fill:#e9ecef,stroke:#868e96,color:#495057'],
];

/**
 * Returns the template as a mermaid flowchart, with parents above children. A node's shape shows the type of its step.
 * Dotted edges lead to steps that are created while the task runs, or that run after a failure (`failed`) or after every
 * end (`ended`) of the step before. The label `any` means that the step takes the first of the steps before it. With
 * `stateOf`, nodes are colored and labeled with the state of their step.
 *
 * @example
 * console.log(mermaidOf(template, (step) => states[step]));
 */
export function mermaidOf(template: TaskTemplate, stateOf?: (stepName: string) => string | undefined): string {
  const { parents, initial, runIf, joins, elementOf } = graphOf(template);
  const used = new Set<string>();
  const nodes = template.steps.map(({ name, type }, index) => {
    const state = stateOf?.(name);
    const color = COLORS.find(([states]) => state !== undefined && states.includes(state))?.[0][0];
    if (color) used.add(color);
    const [open, close] = SHAPES[type];
    const label = state === undefined ? escaped(name) : `${escaped(name)}<br/>${escaped(state)}`;
    return `  s${index}${open}"${label}"${close}${color ? `:::${color}` : ''}`;
  });
  const edges = parents.flatMap((of, child) => {
    const isRoute = handlesFailures(runIf[child]!);
    const label = isRoute ? `|${runIf[child]}|` : joins.has(child) ? '|any|' : '';
    const arrow = `${initial[child] && !isRoute ? '-->' : '-.->'}${label}`;
    const owner = elementOf.get(child);
    if (owner !== undefined && of.length === 0) return [`  s${owner} -.->|each| s${child}`];
    return of.map((parent) => `  s${parent} ${arrow} s${child}`);
  });
  const classes = COLORS.filter(([[name]]) => used.has(name!)).map(([[name], style]) => `  classDef ${name} ${style}`);
  return ['flowchart TD', ...nodes, ...edges, ...classes, ''].join('\n');
}

/** Escapes a label with entities, because names can contain any characters. */
function escaped(text: string): string {
  return text.replace(/[^\p{L}\p{N} _.:/-]/gu, (sign) => `#${sign.codePointAt(0)};`);
}
