import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepContext } from '../../src/handlers/step-context.ts';
import { type ExecutableHandler, StepHandler } from '../../src/handlers/step-handler.ts';
import type { BaseResolver } from '../../src/registry/base-resolver.ts';
import { checkHandlers } from '../../src/registry/check-handlers.ts';
import { ExplicitMappingResolver } from '../../src/registry/explicit-mapping-resolver.ts';
import {
  effectiveMethod,
  fromCallable,
  fromDto,
  type HandlerDefinition,
  hasResolverHint,
  normalizeToDefinition,
  usesMethodDispatch,
} from '../../src/registry/handler-definition.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { RegistryResolver } from '../../src/registry/registry-resolver.ts';
import {
  MethodDispatchError,
  NoResolverMatchError,
  ResolutionError,
  ResolverNotFoundError,
} from '../../src/registry/resolution-errors.ts';
import { ResolverChain } from '../../src/registry/resolver-chain.ts';

class Named extends StepHandler {
  readonly #says: string;
  constructor(says = 'nothing') {
    super();
    this.#says = says;
  }
  call() {
    return this.success({ says: this.#says });
  }
  refund() {
    return this.success({ refunds: this.#says });
  }
}

class Tenants extends RegistryResolver {
  static override readonly _name = 'tenants';
  static override readonly pattern = /^tenant\.(\w+)$/g;
  asked = 0;
  resolveHandler(_definition: HandlerDefinition, match: RegExpMatchArray | null) {
    this.asked++;
    return match && match[1] !== 'nobody' ? new Named(match[1]) : null;
  }
}

class Legacy extends RegistryResolver {
  static override readonly _name = 'legacy';
  static override readonly _priority = 5;
  static override readonly prefix = 'Legacy::';
  resolveHandler({ callable }: HandlerDefinition) {
    return Promise.resolve(
      class extends Named {
        constructor() {
          super(callable);
        }
      },
    );
  }
}

const context = new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'x' });
const resultOf = async (handler: ExecutableHandler | null) => (await handler!.call(context)).result;

describe('a chain of resolvers', () => {
  it('asks resolvers with a lower priority number first, and only resolvers that accept the callable', async () => {
    const tenants = new Tenants();
    const chain = ResolverChain.withResolvers([tenants, new ExplicitMappingResolver(), new Legacy()]);
    expect(chain.listResolvers()).toEqual([['legacy', 5], ['explicit_mapping', 10], ['tenants', 50]]); // biome-ignore format: one line
    chain.register('tenant.acme', new Named('registered'));
    expect(await resultOf(await chain.resolve(fromCallable('tenant.acme')))).toEqual({ says: 'registered' });
    expect(tenants.asked).toBe(0);
    expect(await resultOf(await chain.resolve(fromCallable('tenant.other')))).toEqual({ says: 'other' });
    expect(await resultOf(await chain.resolve(fromCallable('tenant.other')))).toEqual({ says: 'other' });
    expect(await resultOf(await chain.resolve(fromCallable('Legacy::Charge')))).toEqual({ says: 'Legacy::Charge' });
    expect(await chain.resolve(fromCallable('tenant.nobody'))).toBeNull();
    expect(await chain.resolve(fromCallable('unknown'))).toBeNull();
    expect([chain.canResolve(fromCallable('tenant.nobody')), chain.canResolve(fromCallable('unknown'))]).toEqual([
      true,
      false,
    ]);
  });

  it('asks only the resolver that a definition names, for any form of the callable', async () => {
    const chain = ResolverChain.withResolvers([new Tenants(), new ExplicitMappingResolver(), new Legacy()]);
    chain.register('charge', new Named('registered'));
    expect(await resultOf(await chain.resolve({ callable: 'charge', resolver: 'legacy' }))).toEqual({ says: 'charge' });
    expect(await chain.resolve({ callable: 'tenant.acme', resolver: 'explicit_mapping' })).toBeNull();
    await expect(chain.resolve({ callable: 'charge', resolver: 'tenats' })).rejects.toMatchObject({
      name: 'ResolverNotFoundError',
      code: 'handler_not_found',
      resolverName: 'tenats',
      retryable: false,
      message: 'Resolver not found: tenats; did you mean tenants?',
    });
  });

  it('replaces call with the method that a definition names', async () => {
    const chain = ResolverChain.withResolvers([new Tenants()]);
    expect(await resultOf(await chain.resolve({ callable: 'tenant.acme', method: 'refund' }))).toEqual({
      refunds: 'acme',
    });
    await expect(chain.resolve({ callable: 'tenant.acme', method: 'refnd' })).rejects.toMatchObject({
      name: 'MethodDispatchError',
      methodName: 'refnd',
      message: 'handler Named has no method refnd; it has call, refund; did you mean refund?',
    });
    // Methods that every handler has are not the work of a step.
    await expect(chain.resolve({ callable: 'tenant.acme', method: 'success' })).rejects.toThrow(MethodDispatchError);
  });

  it('creates an instance of a class for each call, and shares an instance', async () => {
    const chain = ResolverChain.withResolvers([new Legacy(), new Tenants()]);
    const [byClass, byInstance] = [fromCallable('Legacy::A'), fromCallable('tenant.a')];
    expect(await chain.resolve(byClass)).not.toBe(await chain.resolve(byClass));
    expect(await chain.resolve(byInstance)).toBe(await chain.resolve(byInstance));
  });

  it('resolves a definition once even for concurrent calls, and again after forget()', async () => {
    const tenants = new Tenants();
    const chain = ResolverChain.withResolvers([tenants]);
    const definition = fromCallable('tenant.acme');
    expect(chain.known(definition)).toBeUndefined();
    await Promise.all(Array.from({ length: 20 }, () => chain.resolve(definition)));
    expect([tenants.asked, typeof chain.known(definition)]).toEqual([1, 'function']);
    chain.forget();
    await chain.resolve(definition);
    expect(tenants.asked).toBe(2);
  });

  it('replaces a resolver of the same name, and removes a resolver', async () => {
    const chain = await ResolverChain.default({ baseFolder: null });
    const [one, two] = [new Tenants(), new Tenants()];
    chain.addResolver(one);
    chain.addResolver(two);
    expect(chain.getResolver('tenants')).toBe(two);
    expect(chain.chainInfo()).toEqual([
      { name: 'explicit_mapping', priority: 10, pattern: null, prefix: null },
      { name: 'tenants', priority: 50, pattern: '/^tenant\\.(\\w+)$/g', prefix: null },
      { name: 'class_lookup', priority: 100, pattern: null, prefix: null },
    ]);
    expect([chain.removeResolver('tenants'), chain.removeResolver('tenants')]).toEqual([true, false]);
    expect(await chain.resolve(fromCallable('tenant.acme'))).toBeNull();
    expect(() => ResolverChain.withResolvers([]).register('x', Named)).toThrow('no ExplicitMappingResolver');
  });

  it('reports which resolver threw; the error is retryable unless its property retryable is false', async () => {
    const broken = (error: Error): BaseResolver => ({
      name: 'broken',
      priority: 1,
      canResolve: () => true,
      resolve: () => Promise.reject(error),
    });
    const resolve = (error: Error) => ResolverChain.withResolvers([broken(error)]).resolve(fromCallable('x'));
    await expect(resolve(new Error('no connection'))).rejects.toMatchObject({
      message: 'handler x: resolver broken throws: no connection',
      retryable: true,
      cause: expect.any(Error),
    });
    await expect(resolve(Object.assign(new Error('bad'), { retryable: false }))).rejects.toMatchObject({
      retryable: false,
    });
  });

  it('rejects a value that is not a handler, and names its resolver', async () => {
    const wrong = { name: 'wrong', priority: 1, canResolve: () => true, resolve: () => 'text' as never };
    await expect(ResolverChain.withResolvers([wrong]).resolve(fromCallable('x'))).rejects.toThrow(
      'handler x, from resolver wrong: the string "text" is not a handler',
    );
  });
});

describe('an explicit mapping', () => {
  it('accepts classes, instances and factories, which get the configuration', async () => {
    const mapping = new ExplicitMappingResolver('sandbox');
    mapping.register('class', Named);
    mapping.register(
      'defined',
      defineHandler('defined', {}, () => ({ defined: true })),
    );
    mapping.register('made', (config) => new Named(String(config['tenant'] ?? 'nobody')));
    expect(mapping.registeredCallables()).toEqual(['class', 'defined', 'made']);
    expect(await resultOf(await mapping.resolve(fromCallable('made'), { tenant: 'acme' }))).toEqual({ says: 'acme' });
    const chain = ResolverChain.withResolvers([mapping]);
    expect(await resultOf(await chain.resolve(fromCallable('made')))).toEqual({ says: 'nobody' });
    expect(await resultOf(await chain.resolve(fromCallable('made'), { tenant: 'acme' }))).toEqual({ says: 'acme' });
    expect([mapping.unregister('made'), mapping.unregister('made')]).toEqual([true, false]);
    expect(() => mapping.register('abstract', StepHandler as never)).toThrow(
      'the class StepHandler, which has no call method,',
    );
    expect(() => mapping.register('', Named)).toThrow('Handler name must be a non-empty string');
  });
});

describe('a registry with resolvers', () => {
  it('has its own chain', async () => {
    const [one, two] = [new HandlerRegistry(), new HandlerRegistry()];
    await one.addResolver(new Tenants());
    one.register('charge', Named);
    expect([await one.resolve('tenant.a'), await two.resolve('tenant.a'), await two.resolve('charge')]).toEqual([
      expect.any(Named),
      null,
      null,
    ]);
    expect(await one.listResolvers()).toEqual([['explicit_mapping', 10], ['tenants', 50], ['class_lookup', 100]]); // biome-ignore format: one line
    expect(await one.getResolver('tenants')).toBeInstanceOf(Tenants);
    expect(await two.getResolver('tenants')).toBeUndefined();
    expect((await one.getResolverChain()) === (await two.getResolverChain())).toBe(false);
    expect(one.debugInfo()).toMatchObject({
      handlerCount: 1,
      handlers: { charge: expect.any(String) as string },
      resolvers: [{}, {}, {}],
    });
  });

  it('names resolvers without a name custom_resolver, and keeps those of different classes', async () => {
    class Eu extends RegistryResolver {
      static override readonly pattern: RegExp = /^eu\./;
      resolveHandler = () => new Named('eu');
    }
    class Us extends Eu {
      static override readonly pattern = /^us\./;
    }
    const chain = ResolverChain.withResolvers([new Eu(), new Us(), new Us()]);
    expect(chain.listResolvers()).toEqual([
      ['custom_resolver', 50],
      ['custom_resolver', 50],
    ]);
    expect(await resultOf(await chain.resolve(fromCallable('eu.pay')))).toEqual({ says: 'eu' });
  });

  it('distinguishes registered handlers from handlers that a resolver may find', async () => {
    const registry = new HandlerRegistry();
    await registry.initialize();
    await registry.addResolver(new Tenants());
    registry.register('charge', Named);
    registry.register('instance', new Named());
    expect([registry.isRegistered('tenant.a'), registry.canResolve('tenant.a'), registry.canResolve('x')]).toEqual([
      false,
      true,
      false,
    ]);
    expect([registry.getHandlerClass('charge'), registry.getHandlerClass('instance')]).toEqual([Named, undefined]);
    expect(registry.resolveSync('tenant.a')).toBeNull();
    expect(registry.resolveSync({ callable: 'charge', method: 'refund' })?.name).toBe('Named');
    expect(() => registry.resolveSync({ callable: 'charge', resolver: 'nobody' })).toThrow(ResolverNotFoundError);
    expect(registry.whyMissing({ callable: 'chrge' })).toMatchObject({
      message: 'no handler named chrge; did you mean charge?',
      near: ['charge'],
    });
  });

  it('reports each unresolved callable, method and resolver once', async () => {
    const registry = new HandlerRegistry();
    await registry.addResolver(new Tenants());
    registry.register('charge', Named);
    const steps = [
      { name: 'a', handler: fromCallable('charge') },
      { name: 'b', handler: fromCallable('chrge') },
      { name: 'c', handler: fromCallable('chrge') },
      { name: 'd', handler: { callable: 'charge', method: 'refnd' } },
      { name: 'e', handler: { callable: 'charge', resolver: 'tenats' } },
      { name: 'f', handler: fromCallable('tenant.acme') },
      { name: 'g', handler: fromCallable('tenant.nobody') },
    ];
    expect(await checkHandlers(registry, [{ steps }])).toMatchObject([
      { callable: 'chrge', missing: true, steps: ['b', 'c'], near: ['charge'] },
      { missing: false, steps: ['d'], message: expect.stringContaining('did you mean refund?') },
      { missing: false, steps: ['e'], message: 'Resolver not found: tenats; did you mean tenants?' },
      { callable: 'tenant.nobody', missing: true, steps: ['g'] },
    ]);
  });

  it('needs no handler for steps that wait, and asks no resolver for such a handler', async () => {
    const registry = new HandlerRegistry();
    const asked: string[] = [];
    await registry.addResolver({
      name: 'all',
      priority: 1,
      canResolve: () => true,
      resolve: ({ callable }) => {
        asked.push(callable);
        return Promise.resolve(null);
      },
    });
    const steps = [
      { name: 'a', type: 'timer', handler: fromCallable('tasker.timer') },
      { name: 'b', type: 'signal', handler: fromCallable('tasker.signal') },
      { name: 'c', type: 'approval', handler: fromCallable('tasker.approval') },
      { name: 'd', type: 'standard', handler: fromCallable('tasker.timer') },
    ];
    expect(await checkHandlers(registry, [{ steps }])).toMatchObject([{ callable: 'tasker.timer', steps: ['d'] }]);
    expect(asked).toEqual(['tasker.timer']);
  });

  it('checks a callable separately for each initialization in the steps', async () => {
    const registry = new HandlerRegistry();
    await registry.addResolver({
      name: 'regions',
      priority: 1,
      canResolve: () => true,
      resolve: ({ initialization }) => Promise.resolve(initialization?.['region'] === 'eu' ? Named : null),
    });
    const handler = (region: string) => ({ callable: 'ship', initialization: { region } });
    const steps = [
      { name: 'a', handler: handler('eu') },
      { name: 'b', handler: handler('mars') },
    ];
    expect(await checkHandlers(registry, [{ steps }])).toMatchObject([{ callable: 'ship', steps: ['b'] }]);
  });
});

describe('a definition', () => {
  it('is created from a name or from JSON, or used unchanged', () => {
    const plain = { callable: 'x', method: null, resolver: null, initialization: {} };
    expect(fromCallable('x')).toEqual(plain);
    expect(fromDto({ callable: 'x' })).toEqual(plain);
    expect(fromDto({ callable: 'x', handler_method: 'refund', resolver: 'r' })).toMatchObject({
      method: 'refund',
      resolver: 'r',
    });
    expect(fromDto(null).callable).toBe('');
    expect(normalizeToDefinition('x')).toEqual(plain);
    expect(normalizeToDefinition({ callable: 'x', initialization: null })).toEqual(plain);
    const definition = { callable: 'x', method: 'refund' };
    expect(normalizeToDefinition(definition)).toBe(definition);
    expect([
      effectiveMethod(definition),
      effectiveMethod(plain),
      effectiveMethod({ callable: 'x', method: '' }),
    ]).toEqual(['refund', 'call', 'call']);
    expect([usesMethodDispatch(definition), usesMethodDispatch({ callable: 'x', method: 'call' })]).toEqual([
      true,
      false,
    ]);
    expect([hasResolverHint(definition), hasResolverHint({ callable: 'x', resolver: 'r' })]).toEqual([false, true]);
  });
});

describe('resolution errors', () => {
  it('share a class, are permanent, and can be constructed as in the other SDK', () => {
    expect(new ResolutionError('x')).toMatchObject({ code: 'handler_invalid', retryable: false });
    expect(new ResolverNotFoundError('r').message).toBe(
      'Resolver not found: r; add it to the registry, or correct handler.resolver',
    );
    expect(new MethodDispatchError('h', 'm').message).toBe('handler h has no method m');
    expect(new NoResolverMatchError('x', ['a', 'b'])).toMatchObject({
      message: 'no handler named x (asked: a, b)',
      triedResolvers: ['a', 'b'],
      code: 'handler_not_found',
    });
    for (const error of [new ResolverNotFoundError('r'), new MethodDispatchError('h', 'm'), new NoResolverMatchError('x', [])]) // biome-ignore format: one line
      expect(error).toBeInstanceOf(ResolutionError);
  });
});
