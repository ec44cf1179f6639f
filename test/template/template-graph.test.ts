import { describe, expect, it } from 'vitest';
import { mermaidOf } from '../../src/template/mermaid.ts';
import { parseTemplate } from '../../src/template/parse-template.ts';
import { graphOf } from '../../src/template/template-graph.ts';
import { clean, cpuMs, stepsYaml } from './templates.ts';

const graph = (...lines: string[]) => graphOf(clean(stepsYaml(...lines)));

/** Returns the steps that are created with the task. */
function initialOf(...lines: string[]): string[] {
  const { names, initial } = graph(...lines);
  return names.filter((_, index) => initial[index]);
}

describe('the graph of a template', () => {
  it('has parents, children and all ancestors of every step, by position', () => {
    const { names, indexOf, parents, children, ancestors, roots } = graph(
      'end < left right',
      'left < start',
      'right < start',
      'start',
      'alone',
    );
    expect(names).toEqual(['end', 'left', 'right', 'start', 'alone']);
    expect(indexOf.get('right')).toBe(2);
    expect(parents).toEqual([[1, 2], [3], [3], [], []]);
    expect(children).toEqual([[], [0], [0], [1, 2], []]);
    expect(ancestors).toEqual([[3, 1, 2], [3], [3], [], []]);
    expect(roots).toEqual([3, 4]);
  });

  it('has an order in which parents come first, and otherwise steps keep the order of declaration', () => {
    const { names, order } = graph('z', 'b < a', 'c', 'a < z', 'd < c');
    expect(order.map((index) => names[index])).toEqual(['z', 'c', 'a', 'b', 'd']);
  });

  it('counts a repeated dependency once', () => {
    const { template } = parseTemplate(stepsYaml('a', 'b < a a'));
    expect(graphOf(template!).parents).toEqual([[], [0]]);
  });
});

describe('a step with join: any', () => {
  it('has as feeders the steps from which every path leads to it', () => {
    const { names, joins } = graphOf(
      clean(`name: n
namespace: demo
version: 1.0.0
steps:
  - {name: start, handler: h}
  - {name: fast, handler: h, depends_on: [start]}
  - {name: slow, handler: h, depends_on: [start]}
  - {name: log, handler: h, depends_on: [fast]}
  - {name: slower, handler: h, depends_on: [slow]}
  - {name: first, handler: h, depends_on: [fast, slower, start], join: any}
  - {name: last, handler: h, depends_on: [first]}
`),
    );
    const [[join, { feeders, stops }]] = [...joins] as [[number, { feeders: Set<number>; stops: boolean }]];
    expect(names[join]).toBe('first');
    expect([...feeders].map((step) => names[step])).toEqual(['slower', 'slow']);
    expect(stops).toBe(true);
  });
});

describe('a task starts with', () => {
  it('all steps, if nothing is decided while it runs', () => {
    expect(initialOf('a', 'b < a', 'c < a b')).toEqual(['a', 'b', 'c']);
  });

  it('no descendants of a decision', () => {
    expect(
      initialOf(
        'a',
        'free < a',
        'choose:decision < a',
        'left < choose',
        'right < choose',
        'more < right',
        'end:deferred_convergence < left more',
      ),
    ).toEqual(['a', 'free', 'choose']);
  });

  it('no batch worker and no step after the batch', () => {
    expect(
      initialOf(
        'list:batchable',
        'work:batch_worker < list',
        'sum:deferred_convergence < work',
        'report < sum list',
        'aside < list',
      ),
    ).toEqual(['list', 'aside']);
  });
});

describe('a graph of 10,000 steps', () => {
  const names = Array.from({ length: 10_000 }, (_, index) => `s${index}`);

  it('is created in well under a second if it is wide', () => {
    const wide = clean(
      stepsYaml('s0', ...names.slice(1, -1).map((name) => `${name} < s0`), `end < ${names.slice(1, -1).join(' ')}`),
    );
    const spent = cpuMs(() => {
      const { ancestors, order } = graphOf(wide);
      expect(ancestors.at(-1)).toHaveLength(9999);
      expect(order).toHaveLength(10_000);
    });
    expect(spent).toBeLessThan(1000);
  });

  it('is created in well under a second if it is deep', () => {
    const deep = clean(stepsYaml('s0', ...names.slice(1).map((name, index) => `${name} < s${index}`)));
    const spent = cpuMs(() => {
      const { ancestors } = graphOf(deep);
      expect(ancestors[9999]).toHaveLength(9999);
      expect(ancestors[1999]!.at(-1)).toBe(1998);
    });
    expect(spent).toBeLessThan(1000);
  });
});

describe('the drawing of a template', () => {
  const template = clean(stepsYaml('a', 'choose:decision < a', 'b < choose'));

  it('shows types as shapes, and dotted edges to steps that may not be created', () => {
    expect(mermaidOf(template)).toBe(
      ['flowchart TD', '  s0["a"]', '  s1{"choose"}', '  s2["b"]', '  s0 --> s1', '  s1 -.-> s2', ''].join('\n'),
    );
  });

  it('labels the edges to steps that run after a failure, or after every end', () => {
    const routed = clean(
      `${stepsYaml('a', 'b < a')}  - {name: undo, handler: h, depends_on: [a], run_if: failed}
  - {name: report, handler: h, depends_on: [b, undo], run_if: ended}
  - {name: notify, handler: h, depends_on: [b], run_if: not_failed}
`,
    );
    expect(mermaidOf(routed).split('\n').slice(6, -1)).toEqual([
      '  s0 --> s1',
      '  s0 -.->|failed| s2',
      '  s1 -.->|ended| s3',
      '  s2 -.->|ended| s3',
      '  s1 --> s4',
    ]);
  });

  it('colors steps by their state', () => {
    const states: Record<string, string> = { a: 'complete', choose: 'error' };
    const drawn = mermaidOf(template, (step) => states[step]);
    expect(drawn).toContain('  s0["a<br/>complete"]:::complete\n');
    expect(drawn).toContain('  s1{"choose<br/>error"}:::error\n');
    expect(drawn).toContain('  s2["b"]\n');
    expect(drawn).toMatch(/classDef complete fill.*\n {2}classDef error fill/);
    expect(drawn).not.toContain('classDef cancelled');
  });

  it('escapes names that are part of the syntax', () => {
    const odd = { ...template, steps: [{ ...template.steps[0]!, name: 'a"]; click <b> #1' }] };
    expect(mermaidOf(odd)).toContain('s0["a#34;#93;#59; click #60;b#62; #35;1"]');
  });
});
