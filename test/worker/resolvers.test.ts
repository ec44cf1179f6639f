import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';
import { StepHandler } from '../../src/handlers/step-handler.ts';
import type { BaseResolver } from '../../src/registry/base-resolver.ts';
import type { HandlerDefinition } from '../../src/registry/handler-definition.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { RegistryResolver } from '../../src/registry/registry-resolver.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { deferred, invariants, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

class Payment extends StepHandler {
  static override readonly handlerName: string = 'payment';
  calls = 0;
  call() {
    return this.success({ did: 'charge', calls: ++this.calls });
  }
  refund(context: StepContext) {
    return this.success({ did: 'refund', amount: context.getInput('amount') });
  }
}

class Tenants extends RegistryResolver {
  static override readonly _name = 'tenants';
  static override readonly pattern = /^tenant\.(\w+)$/;
  asked = 0;
  async resolveHandler({ callable }: HandlerDefinition, match: RegExpMatchArray | null) {
    this.asked++;
    await Promise.resolve();
    if (match?.[1] === 'nobody') return null;
    const did = match?.[1] ?? callable;
    return class extends Payment {
      override call() {
        return this.success({ did, calls: ++this.calls });
      }
    };
  }
}

class Legacy extends RegistryResolver {
  static override readonly _name = 'legacy';
  static override readonly prefix = 'legacy/';
  resolveHandler({ callable }: HandlerDefinition) {
    return callable === 'legacy/none' ? null : defineHandler(callable, {}, () => ({ did: callable }));
  }
}

const registryOf = (...resolvers: BaseResolver[]) => {
  const registry = new HandlerRegistry();
  registry.register(Payment);
  for (const resolver of resolvers) void registry.addResolver(resolver);
  return registry;
};
const results = async (tasker: Awaited<ReturnType<typeof shared.setup>>['tasker'], taskUuid: string) =>
  Object.fromEntries((await tasker.getSteps(taskUuid)).map((step) => [step.name, step.results?.result]));

describe('a template', () => {
  it('a template selects the method and the resolver of a step', async () => {
    const { tasker, demo } = await shared.setup(
      {
        charge: { handler: 'payment' },
        refund: { handler: { callable: 'payment', method: 'refund' } },
        by_pattern: { handler: 'tenant.acme' },
        by_prefix: { handler: 'legacy/charge' },
        by_hint: { handler: { callable: 'payment', resolver: 'tenants' } },
        both: { handler: { callable: 'tenant.acme', method: 'refund', resolver: 'tenants' } },
      },
      { handlers: registryOf(new Tenants(), new Legacy()) },
    );
    const { taskUuid } = await tasker.createTask({ ...demo, context: { amount: 7 } });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 5_000 })).status).toBe('complete');
    expect(await results(tasker, taskUuid)).toEqual({
      charge: { did: 'charge', calls: 1 },
      refund: { did: 'refund', amount: 7 },
      by_pattern: { did: 'acme', calls: 1 },
      by_prefix: { did: 'legacy/charge' },
      by_hint: { did: 'payment', calls: 1 },
      both: { did: 'refund', amount: 7 },
    });
  });

  it('a resolver is called once per step of a template, and its class is instantiated for each task', async () => {
    const tenants = new Tenants();
    const { tasker, demo } = await shared.setup({ a: { handler: 'tenant.acme' } }, { handlers: registryOf(tenants) });
    const tasks = await tasker.createTasks(Array.from({ length: 30 }, () => demo));
    for (const { taskUuid } of tasks) {
      await tasker.waitForTask(taskUuid, { timeoutMs: 5_000 });
      expect(await results(tasker, taskUuid)).toEqual({ a: { did: 'acme', calls: 1 } });
    }
    // At most once by the check at startup, for the passed template, and once for the template in the database.
    expect(tenants.asked).toBeLessThanOrEqual(2);
    const before = tenants.asked;
    await tasker.refresh();
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 5_000 });
    expect(tenants.asked).toBe(before + 1);
  });

  it('all calls share a registered instance, but each has its own instance of a registered class', async () => {
    const registry = registryOf();
    registry.register('shared', new Payment());
    const { tasker, demo } = await shared.setup({ shared: [], own: { handler: 'payment' } }, { handlers: registry });
    const tasks = await tasker.createTasks([demo, demo, demo]);
    const calls: { shared: unknown; own: unknown }[] = [];
    for (const { taskUuid } of tasks) {
      await tasker.waitForTask(taskUuid, { timeoutMs: 5_000 });
      const { shared, own } = await results(tasker, taskUuid);
      calls.push({ shared: (shared as { calls: number }).calls, own: (own as { calls: number }).calls });
    }
    expect(calls.map((of) => of.shared).sort()).toEqual([1, 2, 3]);
    expect(calls.map((of) => of.own)).toEqual([1, 1, 1]);
  });
});

describe("a handler that can't be resolved", () => {
  it('fails the step permanently at the first attempt, with an error that suggests similar names', async () => {
    class Broken extends Payment {
      constructor() {
        super();
        throw new Error('no configuration');
      }
    }
    const registry = registryOf(new Tenants());
    registry.register('broken', Broken);
    const { logger, lines } = collectingLogger();
    const { tasker, demo } = await shared.setup(
      {
        method: { handler: { callable: 'payment', method: 'refnd' } },
        making: { handler: 'broken' },
        resolver: { handler: { callable: 'payment', resolver: 'tenats' } },
        nobody: { handler: 'tenant.nobody' },
        hinted: { handler: { callable: 'tenant.nobody', resolver: 'tenants' } },
      },
      { handlers: registry, handlerMissingGraceMs: 200, logger },
    );
    const { taskUuid } = await tasker.createTask(demo);
    const steps = await until(
      () => tasker.getSteps(taskUuid),
      (all) => all.filter((step) => step.currentState === 'enqueued').length === 3,
    );
    const errors = Object.fromEntries(steps.map((step) => [step.name, step.results?.error]));
    expect(steps.map((step) => step.attempts)).toEqual([1, 1, 0, 0, 0]);
    const waiting = lines.filter(({ message }) => message === 'no worker has the handler; its steps wait');
    expect(waiting.map(({ fields }) => (fields as { reason?: string }).reason).sort()).toEqual([
      'Resolver not found: tenats; did you mean tenants?',
      expect.stringContaining('no worker has a handler named tenant.nobody'),
      'resolver tenants has no handler named tenant.nobody',
    ]);
    expect(errors).toMatchObject({
      method: {
        error_type: 'handler_invalid',
        retryable: false,
        message: 'handler payment has no method refnd; it has call, refund; did you mean refund?',
      },
      making: {
        error_type: 'handler_invalid',
        retryable: false,
        message: 'handler broken could not be created: no configuration',
      },
    });
    // One warning at startup reports all of them except a constructor that throws, which is found only when it runs.
    const warned = lines.filter(({ message }) => message.startsWith('no handler here for'));
    expect(warned).toHaveLength(1);
    expect(warned[0]!.message).toBe(
      'no handler here for tenant.nobody of step nobody, tenant.nobody of step hinted; handler payment has no method refnd; it has call, refund; did you mean refund?; Resolver not found: tenats; did you mean tenants?; correct the name in the template, export the handler from a file of the handler folder (--handlers), or run a worker that has it',
    );
  });

  it('is retried if its resolver throws', async () => {
    let asked = 0;
    const flaky: BaseResolver = {
      name: 'flaky',
      priority: 20,
      canResolve: ({ callable }) => callable === 'flaky',
      // The check at startup calls the resolver, too.
      resolve: () => (++asked <= 2 ? Promise.reject(new Error('no connection')) : Promise.resolve(Payment)),
    };
    const { tasker, demo } = await shared.setup(
      { flaky: { handler: 'flaky', retry: { max_attempts: 3, backoff: 'none' } } },
      { handlers: registryOf(flaky) },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 5_000 })).status).toBe('complete');
    expect((await tasker.getStep(taskUuid, 'flaky')).attempts).toBe(2);
  });

  it('causes a timeout if its resolver never settles', async () => {
    const silent: BaseResolver = {
      name: 'silent',
      priority: 20,
      canResolve: ({ callable }) => callable === 'silent',
      resolve: () => new Promise(() => {}),
    };
    const { tasker, demo } = await shared.setup(
      { silent: { handler: 'silent', timeout_seconds: 1, retry: { max_attempts: 1 } } },
      { handlers: registryOf(silent) },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 10_000 });
    expect((await tasker.getStep(taskUuid, 'silent')).results?.error?.error_type).toBe('timeout');
  });
});

describe('a worker with a slow resolver', () => {
  it('each step that waits for the resolver occupies a slot', async () => {
    const answer = deferred<new () => StepHandler>();
    let running = 0;
    let most = 0;
    class Counted extends StepHandler {
      override async call() {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return this.success({});
      }
    }
    const slow: BaseResolver = {
      name: 'slow',
      priority: 20,
      canResolve: ({ callable }) => callable === 'slow',
      resolve: () => answer.promise,
    };
    const { tasker, demo } = await shared.setup(
      { slow: [], after: { handler: 'slow', dependencies: ['slow'] } },
      { handlers: registryOf(slow), concurrency: 2, autoStart: false },
    );
    void tasker.start();
    const tasks = await tasker.createTasks(Array.from({ length: 20 }, () => demo));
    await until(
      () => tasker.stats!.running,
      (count) => count === 2,
    );
    answer.resolve(Counted);
    for (const { taskUuid } of tasks) {
      expect((await tasker.waitForTask(taskUuid, { timeoutMs: 5_000 })).status).toBe('complete');
    }
    expect(most).toBe(2);
  });
});

describe('a worker without the resolver', () => {
  it.each([
    ['a pattern', () => new Tenants(), { handler: 'tenant.acme' }],
    ['a prefix', () => new Legacy(), { handler: 'legacy/charge' }],
    ['its name', () => new Tenants(), { handler: { callable: 'payment', resolver: 'tenants' } }],
  ])('steps that match %s are run by a worker that has the resolver', async (_by, resolver, step) => {
    const { tasker, demo, another } = await shared.setup(
      { step, own: { handler: 'payment' } },
      { handlers: registryOf(), name: 'without', handlerMissingGraceMs: 20_000 },
    );
    // This worker does not know the template, so other workers can only use its announcement.
    const with_ = await another({ handlers: registryOf(resolver()), name: 'with', templates: [], namespaces: [demo.namespace] }); // biome-ignore format: one line
    const tasks = await tasker.createTasks(Array.from({ length: 10 }, () => demo));
    for (const { taskUuid } of tasks) {
      expect((await tasker.waitForTask(taskUuid, { timeoutMs: 8_000 })).status).toBe('complete');
      expect(await tasker.getStep(taskUuid, 'step')).toMatchObject({ attempts: 1, worker: 'with' });
    }
    expect(with_.stats!.processed).toBeGreaterThanOrEqual(10);
  });

  it('a step that the resolvers of two workers accept without having its handler does not move between them', async () => {
    const options = { handlerMissingGraceMs: 300, leaseMs: 60_000 };
    const { tasker, demo, another } = await shared.setup(
      { nobody: { handler: 'tenant.nobody' } },
      { ...options, handlers: registryOf(new Tenants()), name: 'one' },
    );
    await another({ ...options, handlers: registryOf(new Tenants()), name: 'two' });
    const { taskUuid } = await tasker.createTask(demo);
    const [row] = await until(
      () =>
        shared.sql<{ tried: number }>(
          `select cardinality(h.tried) tried from tasker.missing_handler h join tasker.namespace n on n.id = h.namespace_id
            where n.name = $1 and h.state = 'withheld'`,
          [demo.namespace],
        ),
      (rows) => rows.length === 1,
    );
    expect(row).toEqual({ tried: 2 });
    // Each of them looked for the handler once. The first one to claim the step then left it to the other.
    const history = await tasker.getHistory(taskUuid);
    expect(new Set(history.map(({ who }) => who))).toEqual(new Set(['one', 'two']));
    expect(history.length).toBeLessThanOrEqual(3);
    expect(await tasker.getStep(taskUuid, 'nobody')).toMatchObject({ currentState: 'enqueued', attempts: 0 });
  });

  it('a step that a resolver accepts without having its handler is run by a worker that has a handler of that name', async () => {
    const { tasker, demo, another } = await shared.setup(
      { step: { handler: 'tenant.nobody' } },
      { handlers: registryOf(new Tenants()), name: 'claims', handlerMissingGraceMs: 2_000 },
    );
    const able = registryOf();
    able.register(defineHandler('tenant.nobody', {}, () => ({})));
    await another({ handlers: able, name: 'has' });
    const tasks = await tasker.createTasks(Array.from({ length: 10 }, () => demo));
    for (const { taskUuid } of tasks) {
      expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
      expect(await tasker.getStep(taskUuid, 'step')).toMatchObject({ attempts: 1, worker: 'has' });
    }
  });

  it('`why` names the worker that runs the step through its resolver', async () => {
    const { tasker, demo, another } = await shared.setup({ step: { handler: 'tenant.acme' } }, { worker: false });
    const gate = deferred();
    const wait = defineHandler('payment', {}, () => gate.promise);
    const registry = new HandlerRegistry();
    registry.register(wait);
    await registry.addResolver({
      name: 'gate',
      priority: 5,
      prefix: 'tenant.',
      canResolve: () => true,
      resolve: () => wait,
    });
    await another({ handlers: registry, name: 'able', worker: true });
    const { taskUuid } = await tasker.createTask(demo);
    const { steps } = await until(
      () => tasker.why(taskUuid),
      ({ steps }) => steps[0]!.heldBy === 'able',
    );
    expect(steps[0]!.why).toMatch(/has been running on able/);
    gate.resolve();
    await tasker.waitForTask(taskUuid, { timeoutMs: 5_000 });
  });
});

it('the database satisfies the invariants after all tests', () => invariants(shared.sql));
