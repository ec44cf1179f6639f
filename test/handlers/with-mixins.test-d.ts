import { expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { Decision, DecisionPointOutcome } from '../../src/handlers/decision/decision.ts';
import { DecisionHandler, DecisionMixin } from '../../src/handlers/decision/decision-mixin.ts';

import { defineDecisionHandler } from '../../src/handlers/decision/define-decision-handler.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';
import { StepHandler, type StepHandlerClass } from '../../src/handlers/step-handler.ts';
import { withMixins } from '../../src/handlers/with-mixins.ts';

class Counting {
  static unit = 'items';
  counted = 0;
  count(): number {
    return this.counted;
  }
}

test('a mixed class has all instance and static members, and success and failure of the base', () => {
  class Handler extends withMixins(StepHandler, DecisionMixin, Counting) {
    static override handlerName = 'x';
    call(context: StepContext) {
      expectTypeOf(this.count()).toBeNumber();
      expectTypeOf(this.counted).toBeNumber();
      if (context.isRetry()) return this.success({ a: 1 });
      return this.decisionSuccess(['a'], { b: 1 });
    }
  }
  expectTypeOf(Handler.unit).toBeString();
  expectTypeOf<typeof Handler>().toExtend<StepHandlerClass>();
  expectTypeOf<InstanceType<typeof Handler>>().toExtend<StepHandler & DecisionMixin & Counting>();
});

test('a mixed class without call or with a misspelt method does not compile', () => {
  // @ts-expect-error call is missing
  class Without extends withMixins(StepHandler, DecisionMixin) {}
  class Misspelt extends withMixins(StepHandler, DecisionMixin) {
    call() {
      // @ts-expect-error there is no method decisionSucces
      return this.decisionSucces(['a']);
    }
  }
  // @ts-expect-error call is also missing in a subclass of a wrapper class
  class Bare extends DecisionHandler {}
  expectTypeOf([Without, Misspelt, Bare]).toBeArray();
});

test('the constructor has the parameters of the base', () => {
  class Labelled {
    label: string;
    constructor(label: string) {
      this.label = label;
    }
  }
  class Both extends withMixins(Labelled, Counting) {}
  expectTypeOf(Both).toBeConstructibleWith('x');
  // @ts-expect-error a number is not a label
  new Both(1);
  // @ts-expect-error the constructor of a mixin has no arguments
  withMixins(StepHandler, Labelled);
});

test('the arguments and the return value of a decision handler are typed', () => {
  defineDecisionHandler(
    'route',
    { inputs: { amount: z.number() }, depends: { score: ['score', z.object({ risk: z.number() })] } },
    async ({ amount, score }) => {
      expectTypeOf(amount).toBeNumber();
      expectTypeOf(score).toEqualTypeOf<{ risk: number }>();
      return Decision.route(['a']);
    },
  );
  defineDecisionHandler('route', {}, () => DecisionPointOutcome.noBranches());
  // @ts-expect-error a list of names is not a decision
  defineDecisionHandler('route', {}, () => ['a']);
  // @ts-expect-error unknown option workers
  defineDecisionHandler('route', { workers: 1 }, () => Decision.skip('x'));
});

test('outcomes can be created in both forms, or as a literal', () => {
  const literal: DecisionPointOutcome = { decisionType: 'no_branches', nextStepNames: [], routingContext: {} };
  expectTypeOf(
    DecisionPointOutcome.createSteps(['a'], { routingContext: { x: 1 } }),
  ).toEqualTypeOf<DecisionPointOutcome>();
  expectTypeOf(DecisionPointOutcome.createSteps({ stepNames: ['a'] })).toEqualTypeOf(literal);
  // @ts-expect-error the routing context must be passed as routingContext
  DecisionPointOutcome.createSteps(['a'], { route_type: 'auto' });
});
