import { describe, expect, it } from 'vitest';
import { applyDecision, DecisionHandler, DecisionMixin } from '../../src/handlers/decision/decision-mixin.ts';
import { StepContext } from '../../src/handlers/step-context.ts';
import { isHandlerClass, isStepHandler, StepHandler } from '../../src/handlers/step-handler.ts';
import { applyMixin, withMixins } from '../../src/handlers/with-mixins.ts';

class Counting {
  static unit = 'items';
  static handlerName = 'never_this';
  counted = 0;

  get capabilities(): string[] {
    return ['count', 'process'];
  }

  count(): number {
    this.counted += 1;
    return this.counted;
  }

  success(): string {
    return 'of the mixin';
  }
}

class Base extends StepHandler {
  static override handlerName = 'base';
  call() {
    return this.success({ made: true });
  }
}

const context = new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'x' });

describe('withMixins', () => {
  it('combines methods, accessors, fields, statics and capabilities', () => {
    class Handler extends withMixins(Base, DecisionMixin, Counting) {
      static override handlerName = 'united';
    }
    const handler = new Handler();
    expect([handler.count(), handler.count(), new Handler().count()]).toEqual([1, 2, 1]);
    expect(Handler.unit).toBe('items');
    expect([Handler.handlerName, handler.name, handler.version]).toEqual(['united', 'united', '1.0.0']);
    expect(handler.capabilities).toEqual(['process', 'decision', 'routing', 'count']);
    expect(handler.decisionSuccess(['a']).result).toMatchObject({ steps_created: ['a'] });
    expect([isHandlerClass(Handler), isStepHandler(handler), handler instanceof Base]).toEqual([true, true, true]);
  });

  it('prefers the first of two classes with the same member', () => {
    class Handler extends withMixins(Base, Counting) {}
    expect(new Handler().call()).toMatchObject({ success: true, result: { made: true } });
    expect(Handler.handlerName).toBe('base');
  });

  it('lets the class override members of a mixin and call them with super', () => {
    class Handler extends withMixins(Base, Counting) {
      override count() {
        return super.count() * 10;
      }
    }
    expect(new Handler().count()).toBe(10);
  });

  it("uses the mixins' own functions, so a wrapper class has the same functions", () => {
    class Handler extends withMixins(StepHandler, DecisionMixin) {
      call() {
        return this.skipBranches('no');
      }
    }
    class Wrapped extends DecisionHandler {
      call() {
        return this.skipBranches('no');
      }
    }
    for (const method of ['decisionSuccess', 'skipBranches', 'decisionFailure', 'decisionNoBranches'] as const) {
      expect(new Handler()[method]).toBe(DecisionMixin.prototype[method]);
      expect(new Wrapped()[method]).toBe(DecisionMixin.prototype[method]);
    }
    expect(new Wrapped().capabilities).toEqual(['process', 'decision', 'routing']);
    expect(new Wrapped().call().result).toEqual(new Handler().call().result);
  });

  it('passes the constructor arguments to the base, and includes inherited members of a mixin', () => {
    class Named {
      readonly label: string;
      constructor(label: string) {
        this.label = label;
      }
    }
    class CountingTwice extends Counting {
      twice() {
        return this.count() + this.count();
      }
    }
    class Both extends withMixins(Named, CountingTwice) {}
    const both = new Both('both');
    expect([both.label, both.twice()]).toEqual(['both', 3]);
  });

  it.each([
    [
      () => withMixins(undefined as never),
      'withMixins: the first argument must be a class such as StepHandler, not undefined',
    ],
    [
      () => withMixins(Base, undefined as never),
      'withMixins: argument 2 is undefined, which is not a mixin; pass a class such as APIMixin',
    ],
    [
      () => withMixins(Base, Counting, (() => 1) as never),
      'withMixins: argument 3 is the function without a name, which is not a mixin; pass a class such as APIMixin',
    ],
    [
      () => withMixins(Base, {} as never),
      'withMixins: argument 2 is an object, which is not a mixin; pass a class such as APIMixin',
    ],
    [
      () => withMixins(Base, DecisionHandler as never),
      'withMixins: DecisionHandler is a handler, not a mixin; extend it instead, or pass the mixin that it uses',
    ],
    [() => withMixins(Counting, Base), 'withMixins: Base must come first: withMixins(Base, Counting)'],
  ])('throws for values that are not classes or not mixins (%#)', (make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: 'handler_invalid', message }));
  });
});

describe('a mixin applied to an instance', () => {
  it('adds the methods, and keeps existing members', () => {
    class Handler extends StepHandler {
      static override handlerName = 'applied';
      readonly decide = applyDecision(this);
      call() {
        return this.decide.skipBranches('not today');
      }
    }
    const handler = new Handler();
    expect(handler.decide).toBe(handler);
    expect(handler.call()).toMatchObject({
      result: { reason: 'not today' },
      metadata: { decision_handler: 'applied', decision_version: '1.0.0' },
    });
    expect(handler.capabilities).toEqual(['process', 'decision', 'routing']);
    expect(Object.keys(handler)).toEqual(['decide']);
  });

  it('replaces fields that are declared but not set, and can be applied after another', () => {
    class Handler extends StepHandler {
      decisionSuccess!: DecisionMixin['decisionSuccess'];
      constructor() {
        super();
        applyDecision(this);
        applyMixin(this, Counting);
      }
      call(given: StepContext) {
        return this.decisionSuccess([given.handlerName]);
      }
    }
    const handler = new Handler();
    expect(handler.call(context).result).toMatchObject({ steps_created: ['x'] });
    expect(handler.capabilities).toEqual(['process', 'decision', 'routing', 'count']);
  });
});
