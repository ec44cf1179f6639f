import { describe, expect, it } from 'vitest';
import { applyEnvironment } from '../../src/template/apply-environment.ts';
import { parseTemplate } from '../../src/template/parse-template.ts';
import { digestOf } from '../../src/template/template-digest.ts';
import { templateFromJson, templateToJson } from '../../src/template/template-json.ts';
import { atMarks, clean, HEAD, problemsOf, stepsYaml, unmarked } from './templates.ts';

/** Each row has the fields of a step with a `▸` before each problem, and the messages of the problems. */
type Row = [title: string, text: string, problems: string[]];

const steps = (...lines: string[]) => `${HEAD}steps:\n${lines.map((line) => `  - {${line}}\n`).join('')}`;
const step = (fields: string) => steps(`name: a, ${fields}`);
const timer = (fields: string) => step(`type: timer, timer: ${fields}`);
const signal = (fields: string) => step(`type: signal, signal: {name: paid, ${fields}}`);
const approval = (fields: string) => step(`type: approval, approval: {title: Pay?, ${fields}}`);
const FORMS = 'seconds as a number, a string such as 90s, 15m, 2h or 7d, or ISO 8601 such as P3DT12H';

const KINDS: Row[] = [
  [
    'a step without a handler',
    `${HEAD}steps:\n  - ▸{name: a}\n  - {name: b, handler: ▸}\n`,
    [
      'error: `handler` of step `a` is missing; add `handler: …`',
      'error: `handler` of step `b` is missing; add `handler: …`',
    ],
  ],
  [
    'only the misspelt key of a step without a handler',
    steps(
      'name: a, type: task, ▸templat: x/y, context: {b: context.b}',
      'name: b, ▸templat: x/y, context: {b: context.b}',
      'name: c, type: timer, ▸timr: {for: 3d}',
      'name: d, ▸handlr: h',
    ),
    [
      'error: unknown key `templat` in step `a`; did you mean `template`?',
      'error: unknown key `templat` in step `b`; did you mean `template`?',
      'error: unknown key `timr` in step `c`; did you mean `timer`?',
      'error: unknown key `handlr` in step `d`; did you mean `handler`?',
    ],
  ],
  [
    'a wait without its settings',
    `${HEAD}steps:\n  - ▸{name: a, type: timer}\n  - ▸{name: b, step_type: signal}\n  - ▸{name: c, type: approval}\n`,
    [
      'error: `timer` of step `a` is missing; add `timer: {for: 3d}`',
      'error: `signal` of step `b` is missing; add `signal: {name: payment_received}`',
      'error: `approval` of step `c` is missing; add `approval: {title: …}`',
    ],
  ],
  [
    'only the misspelt type of a step without a handler',
    step('type: ▸timr, timer: {for: 1h}'),
    [
      `error: \`type\` of step \`a\`: \`timr\` is not one of standard, decision, deferred_convergence, batchable, batch_worker, timer, signal, approval, task, fail or for_each; did you mean \`timer\`?`,
    ],
  ],
  [
    'a step that waits and has a handler',
    step('type: timer, ▸handler: h, timer: {for: 1h}'),
    ['error: timer step `a` has a handler, but waits instead of calling one; remove it, or remove `type: timer`'],
  ],
  [
    'settings of another type',
    step('handler: h, ▸timer: {for: 1h}, ▸signal: {name: b}'),
    [
      'error: `timer` of `a` has no effect on a standard step; write `type: timer`, or remove it',
      'error: `signal` of `a` has no effect on a standard step; write `type: signal`, or remove it',
    ],
  ],
  [
    'a signal without a name, and settings that do not fit several names',
    steps(
      'name: a, type: signal, signal: ▸{timeout: 1h}',
      'name: b, type: signal, signal: {▸name: x, names: [y], ▸schema: {}, ▸count: 2}',
      'name: c, type: signal, signal: {name: z, ▸schemas: {z: {}}}',
      'name: d, type: signal, signal: {names: [paid, refused, ▸paid], schemas: {paid: {}, ▸refusd: {}}}',
      'name: e, type: signal, signal: {names: ▸[]}',
      'name: f, type: signal, signal: {names: ▸[refused, paid]}',
      'name: g, type: signal, signal: {names: [new1, new2]}, sensitive: [payload.card, ▸card.number]',
    ),
    [
      'error: `signal.name` of step `a` is missing; add `name: …`',
      'error: `signal` of `b` has both `name` and `names`; remove one of them',
      'error: `schema` of `b` is for a single signal; write `schemas: {NAME: …}`',
      'error: `count` of `b` must be 1, because the first of its signals completes the step; remove `count`, or use `name` instead of `names`',
      'error: `schemas` of `c` needs `names`; write `schema` for a single signal',
      'warning: `paid` is in `names` of `d` twice; remove one',
      'error: `refusd` in `schemas` of `d` is not one of its `names`; did you mean `refused`?',
      'error: `signal.names` of step `e` has 0 entries, but must have at least 1',
      'error: steps `d` and `f` wait for signal `paid` with different `schema`; use the same value in both, or different signal names',
      'error: `card.number` hides nothing, because the result of `g` is { name, payload }; write `payload.card.number`',
    ],
  ],
  [
    'fields without effect on a step that waits',
    step(
      'type: signal, signal: {name: b}, ▸retry: {max_attempts: 2}, ▸timeout_seconds: 3, ▸result_schema: {type: object}, ▸wait: {max_calls: 3}',
    ),
    [
      'warning: `retry` of `a` has no effect on a signal step: it has no attempts to retry; remove it',
      'warning: `timeout_seconds` of `a` has no effect on a signal step: the limit of a wait is its `timeout`; remove it',
      'warning: `result_schema` of `a` has no effect on a signal step: its result is not checked; write `signal.schema`',
      'error: `wait` of `a` has no effect on a signal step: it limits handlers that ask to be called again; remove it',
    ],
  ],
  [
    'events of a step that waits',
    step('type: timer, timer: {for: 1h}, ▸publishes_events: [{name: a.b, description: c, schema: {}}]'),
    ['error: timer step `a` cannot publish events, because it has no handler; let the step after it publish them'],
  ],
  [
    'overrides of a step that waits',
    `${timer('{for: 1h}')}environments: {test: {steps: [{name: a, ▸handler: {initialization: {x: 1}}, ▸timeout_seconds: 3}, {name: ALL, retry: {}}]}}\n`,
    [
      'warning: `handler` in environment `test` has no effect on the timer step `a`; remove it',
      'warning: `timeout_seconds` in environment `test` has no effect on the timer step `a`; remove it',
    ],
  ],
];

const TIMERS: Row[] = [
  [
    'a timer without a time',
    timer('▸{}'),
    [
      'error: `timer` of `a` has no time; add `for: 3d`, `until: {context: KEY}` or `until: {step: STEP, field: FIELD}`',
    ],
  ],
  [
    'a timer with two times',
    timer('{for: 1h, until: ▸{context: ship_at}}'),
    ['error: `timer` of `a` has both `for` and `until`; remove one of them'],
  ],
  [
    'a constant time',
    timer('{until: ▸2027-01-31T09:00:00Z}'),
    [
      'error: `timer.until` of step `a`: expected a map of fields, got a string; write, for example, `until: {context: KEY}`',
    ],
  ],
  [
    'a time with two sources, an incomplete source or none',
    steps(
      'name: a, handler: h',
      'name: b, type: timer, depends_on: [a], timer: {until: ▸{context: x, step: a, field: y}}',
      'name: c, type: timer, depends_on: [a], timer: {until: ▸{step: a}}',
      'name: d, type: timer, depends_on: [a], timer: {until: ▸{}}',
    ),
    ['b', 'c', 'd'].map(
      (name) => `error: \`timer.until\` of \`${name}\` must have either \`context\`, or \`step\` and \`field\``,
    ),
  ],
  [
    'a step whose result the timer cannot read',
    steps(
      'name: plan, handler: h',
      'name: b, type: timer, timer: {until: {step: ▸plan, field: at}}',
      'name: c, type: timer, depends_on: [plan], timer: {until: {step: ▸plam, field: at}}',
      'name: d, type: timer, timer: {until: {step: ▸d, field: at}}',
      'name: e, handler: h, depends_on: [plan]',
      'name: f, type: timer, depends_on: [e], timer: {until: {step: plan, field: at}}',
    ),
    [
      'error: timer `b` reads the result of `plan`, but does not depend on it; add it to `depends_on`',
      'error: unknown step `plam` in timer of `c`; did you mean `plan`?',
      'error: timer `d` waits for a time in its own result; name an earlier step',
    ],
  ],
  [
    'a batch worker, which has many results',
    `${stepsYaml('find:batchable', 'work:batch_worker < find', 'join:deferred_convergence < work')}  - {name: t, type: timer, depends_on: [join], timer: {until: {step: ▸work, field: at}}}\n`,
    ['error: `work` in timer of `t` is a batch_worker with one result for each worker; name the step that joins them'],
  ],
  [
    'invalid durations',
    steps(
      ...['-5', '-3d', 'P-3D', '1y', 'P1M', '3 days', '400000d', '1e12', 'soon', 'P', '[3]'].map(
        (given, at) => `name: s${at}, type: timer, timer: {for: ▸${given}}`,
      ),
    ),
    [
      `\`-5\` is negative; write ${FORMS}`,
      `\`-3d\` is negative; write ${FORMS}`,
      `\`P-3D\` is negative; write ${FORMS}`,
      '`1y` has years or months, whose length varies; write days, such as 30d',
      '`P1M` has years or months, whose length varies; write days, such as 30d',
      'write `3 days` as `3d`',
      '`400000d` is longer than 366000d, the longest duration',
      '`1000000000000` is longer than 366000d, the longest duration',
      `\`soon\` is not a duration; write ${FORMS}`,
      `\`P\` is not a duration; write ${FORMS}`,
      `this is not a duration; write ${FORMS}`,
    ].map((what, at) => `error: \`timer.for\` of step \`s${at}\`: ${what}`),
  ],
  [
    'an unknown key',
    timer('{for: 1h, ▸form: 1}'),
    ['warning: unknown key `form` in `timer` of step `a`; did you mean `for`?'],
  ],
];

const SIGNALS: Row[] = [
  [
    'a timeout of zero',
    signal('timeout: ▸0s'),
    ['error: `signal.timeout` of step `a`: `0s` is zero; leave it out to wait without a limit'],
  ],
  [
    'a step that would complete at its timeout without a result',
    signal('timeout: 1d, on_timeout: ▸complete, default: ~'),
    [
      'error: `signal` of `a` completes at its timeout, but has no result then; add `default`, or write `on_timeout: fail`',
    ],
  ],
  [
    'on_timeout and default without a timeout',
    signal('▸on_timeout: fail, ▸default: {a: 1}'),
    [
      'warning: `on_timeout` of `a` has no effect without `timeout`; add one',
      'warning: `default` of `a` has no effect unless the step completes at its timeout; write `on_timeout: complete`',
    ],
  ],
  [
    'a default that violates the schema',
    `${signal('timeout: 1d, on_timeout: complete, schema: {properties: {amount: {minimum: 1}}}, default: ▸{amount: 0}')}  - {name: b, type: signal, signal: {name: c, count: 2, timeout: 1d, on_timeout: complete, schema: {type: integer}, default: [1, ▸x]}}\n`,
    [
      'error: `default` of `a` does not match `schema`: at /amount must be >= 1',
      'error: `default` of `b` does not match `schema`: at /1 must be integer',
    ],
  ],
  [
    'an invalid schema',
    signal('schema: {type: ▸objekt}'),
    [
      'error: `signal.schema` of step `a` is not a JSON Schema: at /type must be one of ["array","boolean","integer","null","number","object","string"]',
    ],
  ],
  [
    'steps with different settings for one signal',
    `${signal('schema: {type: object}')}  - {name: b, type: signal, signal: {name: paid, schema: {type: object}}}\n  - {name: c, type: signal, signal: {name: ▸paid, on_unknown: ▸keep}}\n`,
    [
      'error: steps `a` and `c` wait for signal `paid` with different `schema`; use the same value in both, or different signal names',
      'error: steps `a` and `c` wait for signal `paid` with different `on_unknown`; use the same value in both, or different signal names',
    ],
  ],
];

const APPROVALS: Row[] = [
  [
    'an empty list of assignees',
    approval('assignees: ▸[]'),
    ['error: `approval.assignees` of step `a` is empty; name users or roles, or remove it to let everyone vote'],
  ],
  [
    'assignees that are not a list, and a duplicate assignee',
    `${approval('assignees: ▸ann')}  - {name: b, type: approval, approval: {title: Pay?, assignees: [ann, bob, ▸ann]}}\n`,
    [
      'error: `approval.assignees` of step `a`: expected a list of users or roles, got a string; write `assignees: [ann]`',
      'warning: `ann` is in `assignees` of `b` twice; remove one',
    ],
  ],
  [
    'a quorum above the number of assignees',
    approval('assignees: [ann, bob], escalate_to: [eve], escalate_after: 1d, quorum: ▸4, reject_quorum: 3'),
    [
      'warning: `quorum` 4 of `a` is more than its 3 assignees; this works only if one of them is a role with several people',
    ],
  ],
  [
    'an escalation without a time',
    approval('▸escalate_to: [eve]'),
    ['error: `escalate_to` of `a` has no effect without `escalate_after`; add it, for example `escalate_after: 3d`'],
  ],
  [
    'a reminder after the timeout',
    approval('remind_after: ▸1d, timeout: P1D'),
    ['warning: `remind_after` of `a` has no effect, because it is not shorter than `timeout`; shorten it'],
  ],
  [
    'a form that is not a schema',
    approval('form: {properties: {note: {type: ▸txt}}}'),
    [
      'error: `approval.form` of step `a` is not a JSON Schema: at /properties/note/type must be one of ["array","boolean","integer","null","number","object","string"]',
    ],
  ],
  ['an empty title', step('type: approval, approval: {title: ▸""}'), ['error: `approval.title` of step `a` is empty']],
];

describe('validation of waits reports', () => {
  it.each([...KINDS, ...TIMERS, ...SIGNALS, ...APPROVALS])('%s', (_title, text, problems) => {
    expect(problemsOf(unmarked(text))).toEqual(atMarks(text, problems));
    const wrong = problems.some((problem) => problem.startsWith('error: '));
    expect(parseTemplate(unmarked(text)).template === null).toBe(wrong);
  });
});

describe('a template without waits', () => {
  it('has the same digest as in versions without waits', () => {
    const text = `${HEAD}input_schema: {type: object}
lifecycle: {max_duration_minutes: 60}
default_options: {priority: 1}
steps:
  - {name: a, handler: {callable: h, method: m, initialization: {x: 1}}, timeout_seconds: 5, retry: {max_attempts: 5}}
  - {name: b, type: decision, handler: h, depends_on: [a], result_schema: {type: object}}
  - {name: c, type: batchable, handler: h, depends_on: [b]}
  - {name: d, type: batch_worker, handler: h, depends_on: [c], batch_config: {batch_size: 1, parallelism: 2, cursor_field: id, worker_template: d, failure_strategy: isolate}}
  - {name: e, type: deferred_convergence, handler: h, depends_on: [d], publishes_events: [{name: a.b, description: c, schema: {}}]}
`;
    expect(digestOf(clean(text))).toBe('d0ce9a90834862802255a53d8881b3b8173435f3e0ea2959c9d5030222627b3d');
  });
});

describe('a template with waits', () => {
  const all = steps(
    'name: trial, type: timer, timer: {for: 14d}',
    'name: plan, handler: h',
    'name: ship_at, type: timer, depends_on: [plan], timer: {until: {step: plan, field: ship_at}}',
    'name: start_at, type: timer, timer: {until: {context: start_at}}',
    'name: paid, type: signal, signal: {name: payment, timeout: P1DT12H, on_timeout: complete, default: {paid: false}, count: 2, on_unknown: keep}',
    'name: ask, type: approval, approval: {title: Pay?, assignees: [ann, boss], quorum: 2, on_reject: fail, remind_after: 90, escalate_after: 1.5h, escalate_to: [eve], timeout: 7d}',
    'name: anyone, type: approval, approval: {title: Pay?}',
    'name: poll, handler: h, wait: {timeout: 2h, max_calls: 3, repeatable: true}',
  );
  const { steps: read } = clean(all);
  const of = (name: string) => read.find((each) => each.name === name)!;

  it('has the settings of each wait, with defaults', () => {
    expect(of('trial')).toMatchObject({
      handler: { callable: 'tasker.timer', method: null, initialization: {} },
      timer: { forMs: 14 * 86_400_000, until: null },
      signal: null,
      approval: null,
      wait: null,
    });
    expect(of('ship_at').timer).toEqual({ forMs: null, until: { step: 'plan', field: 'ship_at' } });
    expect(of('start_at').timer).toEqual({ forMs: null, until: { context: 'start_at' } });
    expect(of('paid')).toMatchObject({
      handler: { callable: 'tasker.signal' },
      signal: {
        name: 'payment',
        schema: null,
        timeoutMs: 129_600_000,
        onTimeout: 'complete',
        default: { paid: false },
        count: 2,
        onUnknown: 'keep',
      },
    });
    expect(of('ask')).toMatchObject({ handler: { callable: 'tasker.approval' } });
    expect(of('ask').approval).toEqual({
      title: 'Pay?',
      form: null,
      assignees: ['ann', 'boss'],
      quorum: 2,
      rejectQuorum: 1,
      onReject: 'fail',
      remindAfterMs: 90_000,
      escalateAfterMs: 5_400_000,
      escalateTo: ['eve'],
      timeoutMs: 604_800_000,
    });
    expect(of('anyone').approval).toMatchObject({
      assignees: [],
      escalateTo: [],
      timeoutMs: null,
      onReject: 'complete',
    });
    expect(of('poll').wait).toEqual({ timeoutMs: 7_200_000, maxCalls: 3, repeatable: true });
  });

  it('is unchanged when read from its snapshot', () => {
    const template = clean(all);
    expect(templateFromJson(JSON.parse(JSON.stringify(templateToJson(template))))).toEqual(template);
    expect(digestOf(templateFromJson(templateToJson(template)))).toBe(digestOf(template));
  });

  it('has the same digest for all spellings of a duration', () => {
    const digests = ['1.5h', '90m', '5400', '5400s', 'PT1H30M', 'PT90M'].map((given) =>
      digestOf(clean(timer(`{for: ${given}}`))),
    );
    expect(new Set(digests).size).toBe(1);
  });

  it('keeps its handler if overrides apply to every step', () => {
    const text = `${timer('{for: 1h}')}environments: {test: {steps: [{name: ALL, handler: {initialization: {x: 1}}}]}}\n`;
    const template = applyEnvironment(clean(text), 'test');
    expect(template.steps[0]!.handler.initialization).toEqual({});
    expect(templateFromJson(templateToJson(template)).steps).toEqual(template.steps);
  });
});
