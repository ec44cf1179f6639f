import { describe, expect, it } from 'vitest';
import { TaskerError } from '../../src/errors.ts';
import { mustParseTemplate, parseTemplate } from '../../src/template/parse-template.ts';
import { clean, HEAD } from './templates.ts';

describe('a template', () => {
  it('has defaults for all omitted fields', () => {
    expect(clean(`${HEAD}steps: [{name: only, handler: do_it}]`)).toEqual({
      name: 'demo',
      namespace: 'demo',
      version: '1.0.0',
      description: null,
      metadata: null,
      systemDependencies: { primary: 'default', secondary: [] },
      domainEvents: [],
      inputSchema: null,
      steps: [
        {
          name: 'only',
          description: null,
          handler: { callable: 'do_it', method: null, resolver: null, initialization: {}, isolation: null },
          type: 'standard',
          systemDependency: null,
          dependencies: [],
          elementOf: null,
          forEach: null,
          message: null,
          runIf: null,
          join: null,
          others: null,
          when: null,
          inputs: null,
          retry: {
            retryable: true,
            maxAttempts: 3,
            backoff: 'exponential',
            backoffBaseMs: 1000,
            maxBackoffMs: 30_000,
            forMs: null,
            rules: null,
          },
          timeoutSeconds: null,
          publishesEvents: [],
          batchConfig: null,
          child: null,
          timer: null,
          signal: null,
          approval: null,
          wait: null,
          undo: null,
          resultSchema: null,
          sensitive: null,
          composition: null,
        },
      ],
      output: null,
      outputSchema: null,
      environments: {},
      lifecycle: null,
      identityStrategy: 'strict',
      defaultContext: null,
      defaultOptions: null,
      sensitive: null,
    });
  });

  it('contains every field of the file with the right type', () => {
    const template = clean(`
name: full
namespace_name: demo
version: "2"
description: all of it
metadata: {author: Ada, tags: [a], documentation_url: https://x.test, created_at: 2026-01-02T03:04:05Z, updated_at: 2026-01-02T03:04:05+01:00}
system_dependencies: {primary: db, secondary: [mail]}
domain_events: [{name: full.done, description: it is done, schema: {type: object}}]
input_schema: {type: object}
identity_strategy: always_unique
default_context: {a: 1}
default_options: {priority: 2, source_system: shop}
lifecycle:
  max_duration_minutes: 60
  max_waiting_for_dependencies_minutes: 1
  max_waiting_for_retry_minutes: 2
  max_steps_in_process_minutes: 3
  staleness_action: error
  auto_fail_on_timeout: true
  auto_dlq_on_timeout: false
steps:
  - {name: list, type: batchable, handler: {callable: l, method: m, resolver: r, initialization: {worker_template_name: work}}}
  - name: work
    description: one part
    step_type: batch_worker
    system_dependency: mail
    dependencies: [list]
    handler: w
    retry: {retryable: false, max_attempts: 7, backoff: fibonacci, backoff_base_ms: 100, max_backoff_ms: 1000}
    timeout_seconds: 9
    batch_config: {batch_size: 10, parallelism: 2, cursor_field: id, worker_template: work, failure_strategy: fail_fast}
    result_schema: {type: object}
    composition: {any: thing}
    publishes_events: [{name: a.b, description: d, schema: {}, condition: always, delivery_mode: fast, publisher: Shop::Pub.x}]
`);
    expect(template).toMatchObject({
      metadata: { author: 'Ada', tags: ['a'], createdAt: '2026-01-02T03:04:05Z' },
      systemDependencies: { primary: 'db', secondary: ['mail'] },
      domainEvents: [{ name: 'full.done', description: 'it is done', schema: { type: 'object' } }],
      identityStrategy: 'always_unique',
      defaultContext: { a: 1 },
      defaultOptions: { priority: 2, tags: null, initiator: null, sourceSystem: 'shop', reason: null },
      lifecycle: {
        maxDurationMinutes: 60,
        maxStepsInProcessMinutes: 3,
        stalenessAction: 'error',
        autoDlqOnTimeout: false,
      },
    });
    expect(template.steps[0]!.handler).toMatchObject({ callable: 'l', method: 'm', resolver: 'r' });
    expect(template.steps[1]).toMatchObject({
      type: 'batch_worker',
      systemDependency: 'mail',
      dependencies: ['list'],
      retry: { retryable: false, maxAttempts: 7, backoff: 'fibonacci', backoffBaseMs: 100, maxBackoffMs: 1000 },
      timeoutSeconds: 9,
      batchConfig: {
        batchSize: 10,
        parallelism: 2,
        cursorField: 'id',
        workerTemplate: 'work',
        failureStrategy: 'fail_fast',
      },
      composition: { any: 'thing' },
      publishesEvents: [{ name: 'a.b', condition: 'always', deliveryMode: 'fast', publisher: 'Shop::Pub.x' }],
    });
  });

  it('keeps other metadata without a warning', () => {
    const { metadata } = clean(
      `${HEAD}metadata: {atuhor: Ada, notes: [a, {b: 1}], blog_post: https://x.test, Größe: 3, empty: }\nsteps: [{name: a, handler: h}]\n`,
    );
    expect(metadata).toEqual({
      author: null,
      tags: [],
      documentationUrl: null,
      createdAt: null,
      updatedAt: null,
      other: { atuhor: 'Ada', notes: ['a', { b: 1 }], blog_post: 'https://x.test', Größe: 3 },
    });
  });

  it('can use either spelling of a field', () => {
    const first = clean(`name: a\nnamespace_name: n\nversion: "1"
steps: [{name: x, handler: {callable: h}}, {name: y, handler: {callable: h}, type: decision, dependencies: [x]}]`);
    const other = clean(`name: a\nnamespace: n\nversion: "1"
steps: [{name: x, handler: h}, {name: y, handler: h, step_type: decision, depends_on: [x]}]`);
    expect(other).toEqual(first);
  });

  it('treats a field without a value as omitted', () => {
    expect(clean(`${HEAD}description:\nlifecycle:\nsteps: [{name: a, handler: h, depends_on: , retry: }]`)).toEqual(
      clean(`${HEAD}steps: [{name: a, handler: h}]`),
    );
  });

  it('has defaults for the omitted fields of a retry policy', () => {
    const { steps } = clean(`${HEAD}steps: [{name: a, handler: h, retry: {max_attempts: 5}}]`);
    expect(steps[0]!.retry).toEqual({
      retryable: true,
      maxAttempts: 5,
      backoff: 'exponential',
      backoffBaseMs: 1000,
      maxBackoffMs: 30_000,
      forMs: null,
      rules: null,
    });
  });

  it('has the time for all attempts and the rules of a retry policy', () => {
    const rules = '[{error: [a, b], retryable: false}, {error: c, max_attempts: 1, backoff: none}]';
    const { steps } = clean(`${HEAD}steps: [{name: a, handler: h, retry: {for: 30m, rules: ${rules}}}]`);
    const nothing = { retryable: null, maxAttempts: null, backoff: null, backoffBaseMs: null, maxBackoffMs: null };
    expect(steps[0]!.retry).toMatchObject({
      forMs: 1_800_000,
      rules: [
        { ...nothing, error: ['a', 'b'], retryable: false },
        { ...nothing, error: ['c'], maxAttempts: 1, backoff: 'none' },
      ],
    });
    const same = clean(`${HEAD}steps: [{name: a, handler: h, retry: {for: , rules: []}}]`);
    expect(same.steps[0]!.retry).toMatchObject({ forMs: null, rules: null });
  });

  it('has at least one attempt per step, and max_attempts 0 causes a warning', () => {
    const { template, problems } = parseTemplate(`${HEAD}steps: [{name: a, handler: h, retry: {max_attempts: 0}}]`);
    expect(template!.steps[0]!.retry.maxAttempts).toBe(1);
    expect(problems).toMatchObject([{ severity: 'warning', code: 'no_attempts' }]);
  });

  it('can share parts with anchors, aliases and merge keys', () => {
    const { steps } = clean(`${HEAD}steps:
  - {name: a, handler: h, retry: &often {max_attempts: 9, backoff: linear}}
  - {name: b, handler: h, retry: *often}
  - {name: c, handler: h, retry: {<<: *often, backoff: none}}
  - {name: d, handler: h, retry: {<<: [{max_attempts: 4}, *often]}}`);
    expect(steps.map(({ retry }) => [retry.maxAttempts, retry.backoff])).toEqual([
      [9, 'linear'],
      [9, 'linear'],
      [9, 'none'],
      [4, 'linear'],
    ]);
  });

  it('can start with a byte order mark', () => {
    expect(clean(`\uFEFF${HEAD}steps: [{name: a, handler: h}]`).name).toBe('demo');
  });
});

describe('an environment', () => {
  const text = `${HEAD}
steps:
  - {name: a, handler: {callable: h, initialization: {url: real, keep: 1}}, timeout_seconds: 60, retry: {max_attempts: 9, backoff: none}}
  - {name: b, handler: h}
environments:
  test:
    steps:
      - {name: a, handler: {initialization: {url: fake}}, retry: {max_attempts: 2}}
      - {name: ALL, timeout_seconds: 5, retry: {max_attempts: 1}}
  empty:
`;

  it('applies overrides of ALL first, then the overrides of a step by name', () => {
    const [a, b] = clean(text, 'test').steps;
    expect(a).toMatchObject({
      handler: { initialization: { url: 'fake', keep: 1 } },
      timeoutSeconds: 5,
      retry: { maxAttempts: 2, backoff: 'exponential' },
    });
    expect(b).toMatchObject({ timeoutSeconds: 5, retry: { maxAttempts: 1 } });
  });

  it('changes nothing if it is not selected, not in the file, or empty', () => {
    const { steps } = clean(text);
    expect(steps[0]).toMatchObject({ handler: { initialization: { url: 'real', keep: 1 } }, timeoutSeconds: 60 });
    expect(clean(text, 'production').steps).toEqual(steps);
    expect(clean(text, 'empty').steps).toEqual(steps);
    expect(clean(text, 'toString').steps).toEqual(steps);
  });

  it('is kept unchanged for display', () => {
    expect(clean(text, 'test').environments.test).toEqual([
      expect.objectContaining({ name: 'a', initialization: { url: 'fake' }, timeoutSeconds: null }),
      expect.objectContaining({ name: 'ALL', initialization: null, timeoutSeconds: 5 }),
    ]);
  });
});

describe('mustParseTemplate', () => {
  it('throws one error with every error of the file', () => {
    const text = `${HEAD}steps:\n  - {name: a, handler: h, depends_on: [b]}\n  - {name: c, timeout: 3}\n`;
    try {
      mustParseTemplate(text, { file: 'a.yaml' });
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(TaskerError);
      const { code, message, details } = error as TaskerError;
      expect(code).toBe('template_invalid');
      expect(message.split('\n')).toEqual([
        'a.yaml:5:40: error: unknown step `b` in depends_on of `a`; did you mean `a`?',
        'a.yaml:6:5: error: `handler` of step `c` is missing; add `handler: …`',
        'a.yaml:6:15: error: `timeout` of `c` has no effect on a standard step, because only steps of the type task have it; did you mean `timeout_seconds`?',
      ]);
      expect(details.problems).toHaveLength(3);
    }
  });

  it('throws an error with only the first errors of a file that has very many', () => {
    const text = `${HEAD}steps:\n${Array.from({ length: 2000 }, (_, i) => `  - {name: s${i}, handler: h, depends_on: [x${i}]}\n`).join('')}`;
    expect(() => mustParseTemplate(text)).toThrow(/\ntemplate:24:42: .*\nmore errors are in details\.problems$/);
    const { problems } = parseTemplate(text);
    expect(problems).toHaveLength(1000);
    expect(problems.at(-1)!.message).toMatch(/\(and 1000 more problems in the file\)$/);
  });
});
