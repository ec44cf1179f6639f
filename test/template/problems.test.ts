import { describe, expect, it } from 'vitest';
import { parseTemplate } from '../../src/template/parse-template.ts';
import { atMarks, HEAD, problemsOf, stepsYaml, unmarked } from './templates.ts';

/** Each row has the text of a file with a `▸` before each problem, and the messages of the problems. */
type Row = [title: string, text: string, problems: string[]];

const step = (fields: string) => `${HEAD}steps:\n  - {name: a, handler: h, ${fields}}\n`;

const STEPS: Row[] = [
  [
    'an unknown dependency, with a similar name',
    stepsYaml('validate', 'ship < ▸valdate'),
    ['error: unknown step `valdate` in depends_on of `ship`; did you mean `validate`?'],
  ],
  [
    'an unknown dependency without a similar name',
    `${HEAD}steps:\n  - name: ship\n    handler: h\n    dependencies:\n      - ▸nonsense\n`,
    ['error: unknown step `nonsense` in dependencies of `ship`'],
  ],
  ['a step that depends on itself', stepsYaml('a < ▸a'), ['error: step `a` depends on itself; remove the dependency']],
  ['a repeated dependency', stepsYaml('a', 'b < a ▸a'), ['warning: step `b` depends on `a` twice; remove one']],
  [
    'join: any with another condition or one dependency, and others without it',
    `${HEAD}steps:
  - {name: a, handler: h}
  - {name: b, handler: h}
  - {name: c, handler: h, depends_on: [a, b], ▸join: any, run_if: ended}
  - {name: d, handler: h, depends_on: [a], ▸join: any}
  - {name: e, handler: h, depends_on: [a, b], ▸others: stop}
`,
    [
      'error: `c` cannot have both `join: any` and `run_if: ended`: it runs when the first of its dependencies completes; remove one of them',
      'error: `join: any` of `d` needs at least two dependencies; add one, or remove `join`',
      'error: `others` of `e` has no effect without `join: any`; add it, or remove `others`',
    ],
  ],
  [
    'undo where nothing can be undone, a misspelt include, and a name that an undo takes',
    `${HEAD}lifecycle: {on_cancel: undo}
steps:
  - {name: a, handler: h, undo: {handler: u, include: ▸atempted}}
  - {name: ▸"undo:a", handler: h}
  - {name: c, type: fail, message: m, depends_on: [a], ▸undo: {handler: u}}
`,
    [
      'error: `undo.include` of step `a`: `atempted` is not one of completed or attempted; did you mean `attempted`?',
      'error: step `undo:a` has the name of the step that undoes `a`; rename it',
      'error: step `c` of the type `fail` cannot have `undo`: it ends the task and has no effect of its own',
    ],
  ],
  [
    'a name that the undo of a child task takes, in a template that has nothing else to undo',
    `${HEAD}lifecycle: {on_blocked: undo}\nsteps:\n  - {name: a, type: task, template: t}\n  - {name: ▸"undo:a", handler: h}\n`,
    ['error: step `undo:a` has the name of the step that undoes `a`; rename it'],
  ],
  [
    'a lifecycle that undoes tasks of a template without undo',
    `${HEAD}lifecycle: {on_blocked: ▸undo, on_cancel: ▸undo}\nsteps:\n  - {name: a, handler: h}\n`,
    [
      'error: `on_blocked: undo` has no effect, because no step has `undo`; add it to the steps whose effects can be undone',
      'error: `on_cancel: undo` has no effect, because no step has `undo`; add it to the steps whose effects can be undone',
    ],
  ],
  [
    'a step that needs the success of a step which ends the task',
    `${HEAD}steps:
  - {name: a, type: fail, message: no, when: context.bad}
  - {name: b, handler: h, depends_on: [▸a]}
  - {name: c, handler: h, depends_on: [a], run_if: not_failed}
`,
    [
      'error: step `b` can never run: `a` ends the task when it runs; add `run_if: not_failed` to run `b` if `a` is skipped, or remove the dependency',
    ],
  ],
  [
    'a condition that is always false or always true',
    `${HEAD}steps:
  - {name: a, handler: h, when: ▸"false"}
  - {name: b, handler: h, when: ▸1 > 2 || "x" == "y"}
  - {name: c, handler: h, when: ▸"true"}
  - {name: d, handler: h, when: 1 / 0 > context.n}
`,
    [
      'warning: step `a` can never run: its condition is always false; correct the condition, or remove the step',
      'warning: step `b` can never run: its condition is always false; correct the condition, or remove the step',
      'warning: `when` of `c` has no effect, because it is always true; correct it, or remove it',
    ],
  ],
  [
    'a route after steps that cannot fail',
    `${HEAD}steps:
  - {name: nap, type: timer, timer: {for: 1h}}
  - {name: until, type: timer, timer: {until: {context: at}}}
  - {name: paid, type: signal, signal: {name: paid}}
  - {name: late, type: signal, signal: {name: late, timeout: 1d}}
  - {name: ask, type: approval, approval: {title: Fine?}}
  - {name: a, handler: h, depends_on: [nap, paid], run_if: ▸failed}
  - {name: e, handler: h, depends_on: [ask], run_if: ▸failed}
  - {name: b, handler: h, depends_on: [nap, until], run_if: failed}
  - {name: c, handler: h, depends_on: [late], run_if: failed}
`,
    [
      'warning: step `a` can never run: `run_if: failed` needs a dependency that fails, and `nap` and `paid` cannot fail; depend on a step that can fail, or remove `run_if`',
      'warning: step `e` can never run: `run_if: failed` needs a dependency that fails, and `ask` cannot fail; depend on a step that can fail, or remove `run_if`',
    ],
  ],
  [
    'a step that needs opposite routes',
    `${HEAD}steps:
  - {name: charge, handler: h}
  - {name: ship, handler: h, depends_on: [charge]}
  - {name: release, handler: h, depends_on: [charge], run_if: failed}
  - {name: tell, handler: h, depends_on: [release]}
  - {name: join, handler: h, depends_on: [ship, ▸tell]}
  - {name: below, handler: h, depends_on: [join]}
  - {name: direct, handler: h, depends_on: [▸release, charge]}
  - {name: good, handler: h, depends_on: [ship, tell], run_if: not_failed}
  - {name: any, handler: h, depends_on: [ship, tell], join: any}
  - {name: ended, handler: h, depends_on: [ship, tell], run_if: ended}
  - {name: after, handler: h, depends_on: [ended, ship]}
`,
    [
      'warning: step `join` can never run: `tell` runs only if `charge` fails, and `ship` only if it completes; add `run_if: not_failed`, or `join: any`',
      'warning: step `direct` can never run: `release` runs only if `charge` fails, and `direct` only if it completes; add `run_if: not_failed`, or `join: any`',
    ],
  ],
  [
    'no step below a decision, which may not exist',
    `${HEAD}steps:
  - {name: ask, handler: h}
  - {name: route, type: decision, handler: h, depends_on: [ask]}
  - {name: left, handler: h, depends_on: [route]}
  - {name: undecided, handler: h, depends_on: [route], run_if: failed}
  - {name: archive, handler: h, depends_on: [left, undecided]}
`,
    [],
  ],
  [
    'a cycle, with its path',
    stepsYaml('a < ▸c', 'b < a', 'c < b', 'd < c'),
    ['error: dependencies form a cycle: a → c → b → a; remove one of them'],
  ],
  [
    'every cycle',
    stepsYaml('a < ▸b', 'b < a', 'c < ▸d a', 'd < c'),
    [
      'error: dependencies form a cycle: a → b → a; remove one of them',
      'error: dependencies form a cycle: c → d → c; remove one of them',
    ],
  ],
  [
    'two steps with the same name',
    stepsYaml('a', 'b', '▸a'),
    ['error: step `a` is declared twice, first on line 5; rename one of them'],
  ],
  [
    'a step named ALL',
    stepsYaml('▸ALL'),
    ['error: a step cannot be named `ALL`, which means every step in environments; rename it'],
  ],
  [
    'a decision without dependencies',
    stepsYaml('a:▸decision'),
    ['error: decision step `a` has no dependencies; add the step whose result it uses'],
  ],
  [
    'a batch worker without its batch_config',
    `${HEAD}steps: [{name: a, handler: h, type: ▸batch_worker}]`,
    [
      'error: batch_worker step `a` has no batch_config; add it, with parallelism, cursor_field, worker_template and failure_strategy',
    ],
  ],
  [
    'a batch worker without an analyzer',
    `${stepsYaml('a', 'work:▸batch_worker', 'pack:▸batch_worker < a')}`,
    ['work', 'pack'].map(
      (name) =>
        `error: batch_worker step \`${name}\` must depend on exactly one batchable step, which creates its workers; it depends on none: add a batchable step and depend on it, or give this step another type`,
    ),
  ],
  [
    'a batch worker that does not depend on its analyzer',
    stepsYaml('cut:batchable', 'work:▸batch_worker'),
    [
      'error: batch_worker step `work` must depend on exactly one batchable step, which creates its workers; it depends on none: add `cut` to its dependencies, or give it another type',
    ],
  ],
  [
    'a batch_config where it has no effect',
    step(
      '▸batch_config: {batch_size: 1, parallelism: 1, cursor_field: id, worker_template: w, failure_strategy: isolate}',
    ),
    ['warning: batch_config of `a` has no effect on a standard step; move it to the batch_worker step'],
  ],
  [
    'a worker template that is not a batch worker',
    `${stepsYaml('work:batch_worker < l')}  - {name: l, type: batchable, handler: {callable: h, initialization: {worker_template_name: ▸wrk}}}\n`,
    ['warning: worker_template_name of `l` is `wrk`, which is not a batch_worker step; did you mean `work`?'],
  ],
  [
    'a convergence without branches or workers',
    stepsYaml('a', 'b:▸deferred_convergence < a'),
    ['warning: deferred_convergence step `b` does not depend on a decision or a batch_worker; make it a standard step'],
  ],
];

const FIELDS: Row[] = [
  [
    'all missing fields',
    '▸▸▸▸description: x\n',
    [
      'error: `name` is missing; add `name: …`',
      'error: `namespace` is missing; add `namespace: …`',
      'error: `version` is missing; add `version: "1.0.0"`',
      'error: `steps` is missing; add `steps: […]`',
    ],
  ],
  ['no steps', `${HEAD}steps: ▸[]`, ['error: the template has no steps; it needs at least one']],
  [
    'a version that YAML reads as a number',
    'name: a\nnamespace: n\nversion: ▸1.10\nsteps: [{name: a, handler: h}]',
    ['error: `version`: expected a string, got the number 1.10; put it in quotes: `version: "1.10"`'],
  ],
  [
    'names that are too long or invalid',
    `name: ▸${'n'.repeat(65)}\nnamespace: ▸my-shop\nversion: ▸"12345678901234567"\nsteps: [{name: ▸"a ", handler: h}]`,
    [
      'error: `name` is 65 characters long, but must have at most 64',
      'error: `namespace`: `my-shop` must be letters, digits and underscores, and must not begin with a digit',
      'error: `version` is 17 characters long, but must have at most 16',
      'error: `name` of step `a `: `a ` must not start or end with whitespace or contain control characters',
    ],
  ],
  [
    'a string instead of a list',
    `${HEAD}steps:\n  - {name: a, handler: h}\n  - {name: b, handler: h, depends_on: ▸a}\n`,
    ['error: `depends_on` of step `b`: expected a list of step names, got a string; write `depends_on: [a]`'],
  ],
  [
    'steps as a map',
    `${HEAD}steps:\n  ▸a: {handler: h}\n`,
    ['error: `steps`: expected a list of steps, got a map; start each entry with `- `'],
  ],
  ['a step that is a string', `${HEAD}steps:\n  - ▸a\n`, ['error: step 1: expected a map of fields, got a string']],
  [
    'an empty handler',
    `${HEAD}steps:\n  - {name: a, handler: ▸""}\n  - {name: b, handler: {callable: ▸""}}\n`,
    ['error: `handler.callable` of step `a` is empty', 'error: `handler.callable` of step `b` is empty'],
  ],
  [
    'a value that is not allowed',
    step('type: ▸decison, retry: {backoff: ▸expo}'),
    [
      'error: `type` of step `a`: `decison` is not one of standard, decision, deferred_convergence, batchable, batch_worker, timer, signal, approval, task, fail or for_each; did you mean `decision`?',
      'error: `retry.backoff` of step `a`: `expo` is not one of none, linear, exponential or fibonacci; did you mean `exponential`?',
    ],
  ],
  [
    'numbers out of range',
    step('timeout_seconds: ▸0, retry: {max_attempts: ▸101, backoff_base_ms: ▸0, max_backoff_ms: ▸3600001}'),
    [
      'error: `timeout_seconds` of step `a` is 0; it must be at least 1',
      'error: `retry.max_attempts` of step `a` is 101; it must be at most 100',
      'error: `retry.backoff_base_ms` of step `a` is 0; it must be at least 1',
      'error: `retry.max_backoff_ms` of step `a` is 3600001; it must be at most 3600000',
    ],
  ],
  [
    'a number in quotes, and a boolean as a word',
    step('timeout_seconds: ▸"30", retry: {retryable: ▸yes, max_attempts: ▸1.5}'),
    [
      'error: `timeout_seconds` of step `a`: expected a number, got a string; write `timeout_seconds: 30`, without quotes',
      'error: `retry.retryable` of step `a`: expected `true` or `false`, got a string; write `retryable: true`',
      'error: `retry.max_attempts` of step `a`: expected a whole number, got the number 1.5',
    ],
  ],
  [
    'a base delay above the maximum delay',
    step('retry: {backoff_base_ms: ▸60000}'),
    [
      'warning: backoff_base_ms 60000 in `retry` of step `a` is more than max_backoff_ms 30000, so every delay is 30000 ms; increase max_backoff_ms',
    ],
  ],
  [
    'a backoff below 10 ms, including in environments',
    `${step('retry: {backoff_base_ms: ▸9, max_backoff_ms: 10}')}environments: {test: {steps: [{name: ALL, retry: {backoff_base_ms: ▸1, max_backoff_ms: ▸1}}, {name: a, retry: {backoff: none, backoff_base_ms: 1}}]}}\n`,
    [
      'warning: backoff_base_ms 9 in `retry` of step `a` is less than 10 ms, so the step is retried almost immediately; increase it, or write `backoff: none`',
      'warning: backoff_base_ms 1 in `retry` of entry 1 of environment `test` is less than 10 ms, so the step is retried almost immediately; increase it, or write `backoff: none`',
      'warning: max_backoff_ms 1 in `retry` of entry 1 of environment `test` is less than 10 ms, so the step is retried almost immediately; increase it, or write `backoff: none`',
    ],
  ],
  [
    'a time for all attempts that is not a duration, or has no effect',
    `${step('retry: {for: ▸soon}')}  - {name: b, handler: h, retry: {for: ▸-5}}\n  - {name: c, handler: h, retry: {retryable: false, ▸for: 1h}}\n  - {name: d, handler: h, retry: {max_attempts: 1, ▸for: 1h}}\n`,
    [
      'error: `retry.for` of step `a`: `soon` is not a duration; write seconds as a number, a string such as 90s, 15m, 2h or 7d, or ISO 8601 such as P3DT12H',
      'error: `retry.for` of step `b`: `-5` is negative; write seconds as a number, a string such as 90s, 15m, 2h or 7d, or ISO 8601 such as P3DT12H',
      'warning: `for` in `retry` of step `c` has no effect, because the step is not retryable; remove it',
      'warning: `for` in `retry` of step `d` has no effect, because there is only one attempt; remove it',
    ],
  ],
  [
    'a retry rule without an error, with a misspelt field, with a wrong value, or without a setting',
    step(
      'retry: {rules: [▸{max_attempts: 3}, {error: ▸[], max_attempts: 3}, {error: x, ▸max_attempt: 3}, {error: y, max_attempts: ▸101}, {error: ▸5, max_attempts: 3}, ▸{error: z}, {error: q, max_attempts: ▸0}]}',
    ),
    [
      'error: `retry.rules[0].error` of step `a` is missing; add `error: rate_limited`',
      'error: `retry.rules[1].error` of step `a` has 0 entries, but must have at least 1',
      'error: unknown key `max_attempt` in `retry.rules[2]` of step `a`; did you mean `max_attempts`?',
      'error: `retry.rules[3].max_attempts` of step `a` is 101; it must be at most 100',
      'error: `retry.rules[4].error` of step `a`: must be the type or the code of a failure, such as `rate_limited`, or a list of them',
      'warning: `retry.rules[5]` of step `a` changes nothing; add for example `max_attempts: 20` or `retryable: false`',
      'warning: max_attempts in `retry.rules[6]` of step `a` is 0 and counts as 1, because the first attempt is included; write 1',
    ],
  ],
  [
    'a retry rule that an earlier rule covers',
    step(
      'retry: {rules: [{error: [x, y], max_attempts: 9}, ▸{error: y, retryable: false}, {error: [▸x, z, ▸z], retryable: false, ▸max_attempts: 2}]}',
    ),
    [
      'error: `retry.rules[1]` of step `a` never applies, because `rules[0]` comes first for `y`; remove it, or move it up',
      'warning: `x` in `retry.rules[2]` of step `a` has no effect, because `rules[0]` comes first; remove it',
      'warning: `z` is in `retry.rules[2]` of step `a` twice; remove one',
      'warning: `max_attempts` in `retry.rules[2]` of step `a` has no effect, because its failures are not retried; remove it',
    ],
  ],
  [
    'retry rules of a step that is not retryable, including in environments',
    `${step('retry: {retryable: false, ▸rules: [{error: x, max_attempts: 9}]}')}environments: {test: {steps: [{name: ALL, retry: {rules: [{error: x, backoff_base_ms: ▸60000}]}}]}}\n`,
    [
      'error: the rules in `retry` of step `a` never apply, because the step is not retryable; to retry only the failures that they name, write `max_attempts: 1` instead of `retryable: false`',
      'warning: backoff_base_ms 60000 in `retry.rules[0]` of entry 1 of environment `test` is more than max_backoff_ms 30000, so every delay is 30000 ms; increase max_backoff_ms',
    ],
  ],
  [
    'unknown keys, with similar keys',
    `▸nam: x\n${HEAD}steps:\n  - name: a\n    handler: {callable: h, ▸config: {}}\n    ▸timout_seconds: 3\n    ▸retires: {max_attempts: 5}\n  - {name: b, handler: h, ▸retries: 3}\n  - {name: c, handler: h, ▸timeout: 30}\n`,
    [
      'warning: unknown key `nam` in the template; did you mean `name`?',
      'warning: unknown key `config` in `handler` of step `a`; it is ignored',
      'error: unknown key `timout_seconds` in step `a`; did you mean `timeout_seconds`?',
      'error: unknown key `retires` in step `a`; did you mean `retry`?',
      'error: unknown key `retries` in step `b`; did you mean `retry`?',
      'error: `timeout` of `c` has no effect on a standard step, because only steps of the type task have it; did you mean `timeout_seconds`?',
    ],
  ],
  [
    'misspelt dependencies, in both spellings',
    `${HEAD}steps:\n  - {name: a, handler: h}\n  - {name: b, handler: h, ▸depend_on: [a]}\n  - {name: c, handler: h, ▸depends: [a]}\n  - {name: d, handler: h, ▸dependecies: [a]}\n  - {name: e, handler: h, ▸Dependencies: [a]}\n`,
    [
      'error: unknown key `depend_on` in step `b`; did you mean `depends_on`?',
      'error: unknown key `depends` in step `c`; did you mean `depends_on`?',
      'error: unknown key `dependecies` in step `d`; did you mean `dependencies`?',
      'error: unknown key `Dependencies` in step `e`; did you mean `dependencies`?',
    ],
  ],
  [
    'unknown keys beside the known key, keys of the original system, and extensions',
    `${HEAD}▸x-steps: 1\nsteps:\n  - {name: a, handler: h, depends_on: [], ▸depend_on: [b], retry: {▸limit: 3}}\n  - {name: b, handler: {callable: h, ▸step_type: x}, timeout_seconds: 3, ▸timeout_second: 4, ▸x-retry: 1, ▸tpye: standard, type: standard}\n`,
    [
      'warning: unknown key `x-steps` in the template; did you mean `steps`?',
      'warning: unknown key `depend_on` in step `a`; did you mean `depends_on`?',
      'warning: unknown key `limit` in `retry` of step `a`; it is ignored',
      'warning: unknown key `step_type` in `handler` of step `b`; it is ignored',
      'warning: unknown key `timeout_second` in step `b`; did you mean `timeout_seconds`?',
      'warning: unknown key `x-retry` in step `b`; did you mean `retry`?',
      'warning: unknown key `tpye` in step `b`; did you mean `type`?',
    ],
  ],
  [
    'both spellings of one field',
    `name: a\n▸namespace: n\nnamespace_name: n\nversion: "1"\nsteps:\n  - name: a\n    handler: h\n    ▸depends_on: []\n    dependencies: []\n`,
    [
      'error: `namespace_name` (line 3) and `namespace` (line 2) are the same field; remove one of them',
      'error: `dependencies` (line 9) and `depends_on` (line 8) are the same field; remove one of them',
    ],
  ],
];

const PARTS: Row[] = [
  [
    'an environment that overrides an unknown step',
    `${stepsYaml('ship')}environments:\n  test: {steps: [{name: ▸shp}, {name: ▸all}, {name: ship}, {name: ▸ship}]}\n`,
    [
      'error: unknown step `shp` in environment `test`; did you mean `ship`?',
      'error: unknown step `all` in environment `test`; did you mean `ALL`?',
      'warning: environment `test` overrides `ship` twice; the later override wins where they differ',
    ],
  ],
  [
    'an event that is declared twice, and an event with an invalid name',
    `${step('publishes_events: [{name: a.b, description: d, schema: {}}, {name: ▸a.b, description: d, schema: {}}]')}  - {name: b, handler: h, publishes_events: [{name: ▸Done, description: d, schema: {}}]}\n`,
    [
      'warning: event `a.b` is declared by `a` and again by `a`; subscribers cannot distinguish them',
      'error: `publishes_events[0].name` of step `b`: `Done` must be lower-case words separated by dots, for example `order.charged`',
    ],
  ],
  [
    'invalid schemas',
    `${HEAD}input_schema: {type: ▸objekt}\nsteps:\n  - {name: a, handler: h, result_schema: {properties: {n: {minimum: ▸few}}}}\n  - {name: b, handler: h, result_schema: ▸{$ref: "#/nowhere"}}\n  - {name: c, handler: h, result_schema: {$schema: ▸"http://json-schema.org/draft-04/schema#"}}\n`,
    [
      'error: `input_schema` is not a JSON Schema: at /type must be one of ["array","boolean","integer","null","number","object","string"]',
      'error: `result_schema` of step `a` is not a JSON Schema: at /properties/n/minimum must be number',
      "error: `result_schema` of step `b` is not a JSON Schema: can't resolve reference #/nowhere from id #",
      'error: `result_schema` of step `c` is not a JSON Schema: at /$schema is unknown: "http://json-schema.org/draft-04/schema#"; remove it to use https://json-schema.org/draft/2020-12/schema, or write http://json-schema.org/draft-07/schema#',
    ],
  ],
  [
    'invalid patterns, and patterns that could take exponential time',
    `${HEAD}input_schema: {properties: {code: {pattern: ▸'(a)\\1'}}}\nsteps:\n  - {name: a, handler: h, result_schema: {patternProperties: {'^(x': ▸{}}, default: {pattern: '(a)\\1'}}}\n  - {name: b, handler: h, publishes_events: [{name: a.b, description: d, schema: {items: {allOf: [{pattern: ▸'(?<q>.)\\k<q>'}]}}}]}\n`,
    [
      'error: `input_schema` is rejected: at /properties/code/pattern "(a)\\\\1" has a backreference (\\1), which can take exponential time; write out the alternatives',
      'error: `result_schema` of step `a` is not a JSON Schema: at /patternProperties/^(x Invalid regular expression: /^(x/u: Unterminated group',
      'error: `publishes_events[0].schema` of step `b` is rejected: at /items/allOf/0/pattern "(?<q>.)\\\\k<q>" has a backreference (\\k), which can take exponential time; write out the alternatives',
    ],
  ],
  [
    'default options that a request cannot have',
    `${stepsYaml('a')}default_context: ▸{text: ${'x'.repeat(10_001)}}\ndefault_options: {priority: ▸101, ▸idempotency_key: k}\n`,
    [
      'error: `default_context.text` has 10001 characters; at most 10000 are allowed in a context',
      'error: `default_options.priority` is 101; it must be at most 100',
      'warning: unknown key `idempotency_key` in `default_options`; it is ignored',
    ],
  ],
  [
    'an invalid lifecycle and an invalid date',
    `${stepsYaml('a')}lifecycle: {max_duration_minutes: ▸43201, staleness_action: ▸eror}\nmetadata: {created_at: ▸2026-01-01}\n`,
    [
      'error: `lifecycle.max_duration_minutes` is 43201; it must be at most 43200',
      'error: `lifecycle.staleness_action`: `eror` is not one of dlq, error or none; did you mean `error`?',
      'error: `metadata.created_at`: `2026-01-01` is not a date and time with a time zone, such as 2026-01-31T12:00:00Z',
    ],
  ],
];

describe('template validation reports', () => {
  for (const [title, text, problems] of [...STEPS, ...FIELDS, ...PARTS]) {
    it(title, () => {
      expect(problemsOf(unmarked(text))).toEqual(atMarks(text, problems));
      const wrong = problems.some((problem) => problem.startsWith('error: '));
      expect(parseTemplate(unmarked(text)).template === null).toBe(wrong);
    });
  }

  it('the path of a problem, with keys as the file spells them', () => {
    const { problems } = parseTemplate(`${HEAD}steps:\n  - {name: b, handler: h, depends_on: [x, 3]}\n`);
    expect(problems.map(({ path, code }) => [path, code])).toEqual([
      ['steps[0].depends_on[0]', 'unknown_step'],
      ['steps[0].depends_on[1]', 'wrong_type'],
    ]);
  });

  it('the beginning and the end of a long cycle', () => {
    const ring = Array.from({ length: 500 }, (_, i) => `s${i} < s${(i + 1) % 500}`);
    expect(problemsOf(stepsYaml(...ring))).toEqual([
      expect.stringMatching(/cycle: s0 → s1 → .* → … 490 more … → s498 → s499 → s0; remove one of them$/),
    ]);
  });
});
