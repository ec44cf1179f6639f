import { isFields } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { ALL_STEPS } from './apply-environment.ts';
import type { Path } from './spellings.ts';
import { childrenOf, orderOf } from './template-graph.ts';

/** A finding of a rule, at a path in the data. */
export interface Finding {
  severity: 'error' | 'warning';
  code: string;
  message: string;
  path: Path;
  /** Whether the problem is the key and not its value. */
  atKey?: boolean;
  /** The place of the problem inside a text that is the value. */
  inside?: { text: string; offset: number };
}

/** The data of a step that the rules need. If the form of the file is invalid, the data may be incomplete. */
export interface StepSketch {
  path: Path;
  name: string;
  type: string;
  fields: Record<string, unknown>;
  /** The declared dependencies that are strings, with their positions in the list. */
  dependencies: { name: string; index: number }[];
  /** The step of the type `for_each` for each of whose elements the step runs. Undefined for other steps. */
  elementOf: string | undefined;
}

/** Maximum number of unknown names for which similar names are searched. */
export const MOST_SUGGESTIONS = 100;

/** Maximum number of reported cycles. */
const MOST_CYCLES = 20;

/** Returns the steps of a file, and after them those for each element of a list. */
export function sketchesOf(data: unknown): StepSketch[] {
  const steps = sketchesIn(data, [], undefined);
  return [...steps, ...steps.flatMap(({ fields, path, name }) => sketchesIn(fields, path, name))];
}

function sketchesIn(owner: unknown, at: Path, elementOf: string | undefined): StepSketch[] {
  const steps = isFields(owner) && Array.isArray(owner.steps) ? owner.steps : [];
  return steps.flatMap((fields: unknown, index): StepSketch[] => {
    if (!isFields(fields)) return [];
    const dependencies = Array.isArray(fields.dependencies) ? fields.dependencies : [];
    return [
      {
        path: [...at, 'steps', index],
        name: typeof fields.name === 'string' ? fields.name : '',
        type: typeof fields.type === 'string' ? fields.type : 'standard',
        fields,
        dependencies: dependencies.flatMap((name: unknown, place) =>
          typeof name === 'string' && name ? [{ name, index: place }] : [],
        ),
        elementOf,
      },
    ];
  });
}

/**
 * Returns a function that suggests a similar name, "; did you mean `x`?", for at most {@link MOST_SUGGESTIONS} names.
 */
export function suggester(known: Iterable<string>): (wanted: string) => string {
  const names = [...known];
  let left = MOST_SUGGESTIONS;
  return (wanted) => {
    if (left-- <= 0) return '';
    const [near] = nearNames(wanted, names, 1);
    return near === undefined ? '' : `; did you mean \`${near}\`?`;
  };
}

/** Checks that step names are unique and not reserved. */
export function nameRules(steps: readonly StepSketch[], lineOf: (path: Path) => number): Finding[] {
  const findings: Finding[] = [];
  const first = new Map<string, StepSketch>();
  for (const step of steps) {
    const path = [...step.path, 'name'];
    const before = first.get(step.name);
    if (step.name === ALL_STEPS) {
      const message = `a step cannot be named \`${ALL_STEPS}\`, which means every step in environments; rename it`;
      findings.push({ severity: 'error', code: 'reserved_name', message, path });
    }
    if (before === undefined) first.set(step.name, step);
    else if (step.name !== '') {
      const message = `step \`${step.name}\` is declared twice, first on line ${lineOf([...before.path, 'name'])}; rename one of them`;
      findings.push({ severity: 'error', code: 'duplicate_step', message, path });
    }
  }
  return findings;
}

/** Checks that dependencies are on other, existing steps, are listed once, and form no cycle. */
export function dependencyRules(steps: readonly StepSketch[], spelling: (step: StepSketch) => string): Finding[] {
  const findings: Finding[] = [];
  const names = new Set(steps.map(({ name }) => name));
  const suggest = suggester(names);
  for (const step of steps) {
    const seen = new Set<string>();
    for (const { name, index } of step.dependencies) {
      const path = [...step.path, 'dependencies', index];
      if (name === step.name) {
        const message = `step \`${name}\` depends on itself; remove the dependency`;
        findings.push({ severity: 'error', code: 'self_dependency', message, path });
      } else if (!names.has(name)) {
        const message = `unknown step \`${name}\` in ${spelling(step)} of \`${step.name}\`${suggest(name)}`;
        findings.push({ severity: 'error', code: 'unknown_step', message, path });
      } else if (seen.has(name)) {
        const message = `step \`${step.name}\` depends on \`${name}\` twice; remove one`;
        findings.push({ severity: 'warning', code: 'duplicate_dependency', message, path });
      }
      seen.add(name);
    }
  }
  return [...findings, ...cycleFindings(steps)];
}

function cycleFindings(steps: readonly StepSketch[]): Finding[] {
  const indexOf = new Map(steps.map(({ name }, index) => [name, index]));
  const parents = steps.map((step) =>
    step.dependencies.flatMap(({ name }) => (indexOf.has(name) && name !== step.name ? [indexOf.get(name)!] : [])),
  );
  return cyclesOf(parents).map((cycle): Finding => {
    const [step, next] = [steps[cycle[0]!]!, steps[cycle[1] ?? cycle[0]!]!];
    const message = `dependencies form a cycle: ${cycleText(cycle.map((index) => steps[index]!.name))}; remove one of them`;
    const at = step.dependencies.find(({ name }) => name === next.name)?.index ?? 0;
    return { severity: 'error', code: 'dependency_cycle', message, path: [...step.path, 'dependencies', at] };
  });
}

/**
 * Formats a cycle as `a → b → a`, where each step depends on the next. Shows only the beginning and the end of a long
 * cycle.
 */
function cycleText(names: readonly string[]): string {
  const shown =
    names.length <= 12 ? names : [...names.slice(0, 8), `… ${names.length - 10} more …`, ...names.slice(-2)];
  return [...shown, names[0]].join(' → ');
}

/**
 * Returns some cycles of a graph, which is given by each node's parents. Each cycle starts at its smallest node. After
 * a cycle is found, one of its edges is removed before the search continues, so not all cycles are returned. The result
 * is empty if and only if the graph has no cycles.
 */
function cyclesOf(parents: readonly (readonly number[])[]): number[][] {
  const left = parents.map((of) => [...of]);
  const cycles: number[][] = [];
  while (cycles.length < MOST_CYCLES) {
    const cycle = oneCycle(left);
    if (!cycle) break;
    cycles.push(cycle);
    for (const [at, node] of cycle.entries()) {
      const next = cycle[(at + 1) % cycle.length];
      left[node] = left[node]!.filter((parent) => parent !== next);
    }
  }
  return cycles;
}

function oneCycle(parents: readonly (readonly number[])[]): number[] | null {
  const stuck = stuckNodes(parents);
  const [start] = stuck;
  if (start === undefined) return null;
  // Every stuck node has a stuck parent, so following parents must lead back to a visited node.
  const seenAt = new Map<number, number>();
  const trail: number[] = [];
  let node = start;
  while (!seenAt.has(node)) {
    seenAt.set(node, trail.push(node) - 1);
    node = parents[node]!.find((parent) => stuck.has(parent))!;
  }
  const cycle = trail.slice(seenAt.get(node));
  const least = cycle.indexOf(cycle.reduce((a, b) => Math.min(a, b)));
  return [...cycle.slice(least), ...cycle.slice(0, least)];
}

/** Returns the nodes on cycles and their descendants, which have no topological order. */
function stuckNodes(parents: readonly (readonly number[])[]): Set<number> {
  const ordered = new Set(orderOf(parents, childrenOf(parents)));
  return new Set([...parents.keys()].filter((node) => !ordered.has(node)));
}
