import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Decision, DecisionPointOutcome, DecisionType } from '../../../src/handlers/decision/decision.ts';
import { DecisionHandler } from '../../../src/handlers/decision/decision-mixin.ts';

import { defineDecisionHandler } from '../../../src/handlers/decision/define-decision-handler.ts';
import { StepContext } from '../../../src/handlers/step-context.ts';
import type { StepContextParams } from '../../../src/handlers/step-context-params.ts';
import { type StepHandlerClass, StepHandlerResult } from '../../../src/handlers/step-handler.ts';

class Router extends DecisionHandler {
  static override handlerName = 'router';
  static override handlerVersion = '2.1.0';
  call() {
    return this.skipBranches('unused');
  }
}
const router = new Router();
const signature = { decision_handler: 'router', decision_version: '2.1.0' };
const refused = (message: string) =>
  expect.objectContaining({ message, errorType: 'validation_error', retryable: false });

function run(handler: StepHandlerClass, params: Partial<StepContextParams> = {}) {
  return new handler().call(new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'x', ...params }));
}

describe('a decision for branches', () => {
  const result = {
    decision_point_outcome: { type: 'create_steps', step_names: ['manager_approval', 'finance_review'] },
    steps_created: ['manager_approval', 'finance_review'],
    routing_context: { route_type: 'dual' },
  };
  const names = ['manager_approval', 'finance_review'];
  const context = { routingContext: { route_type: 'dual' } };

  it('is stored in the same form for all argument forms', () => {
    const outcomes = [
      DecisionPointOutcome.createSteps(names, context),
      DecisionPointOutcome.createSteps({ stepNames: names, ...context }),
      { decisionType: DecisionType.CREATE_STEPS, nextStepNames: names, ...context },
    ];
    const written = [
      router.decisionSuccess(names, { route_type: 'dual' }, { by: 'Ada' }),
      router.routeToSteps(names, { route_type: 'dual' }, { by: 'Ada' }),
      ...outcomes.map((outcome) => router.decisionSuccess(outcome, { by: 'Ada' })),
      ...outcomes.map((outcome) => router.decisionSuccessWithOutcome(outcome, { by: 'Ada' })),
    ];
    for (const one of written) {
      expect(one).toMatchObject({ success: true, metadata: { by: 'Ada', ...signature } });
      expect(one.result).toEqual(result);
    }
  });

  it('stores each name once, and omits a missing routing context', () => {
    expect(router.decisionSuccess(['a', 'b', 'a']).result).toEqual({
      decision_point_outcome: { type: 'create_steps', step_names: ['a', 'b'] },
      steps_created: ['a', 'b'],
    });
  });

  it('stores dynamic steps next to the outcome', () => {
    const outcome = DecisionPointOutcome.createSteps(['a'], { dynamicSteps: [{ name: 'a' }] });
    expect(router.decisionSuccess(outcome).result).toMatchObject({ dynamic_steps: [{ name: 'a' }] });
  });

  it('accepts an API response as its routing context, without its cookies', () => {
    class Response {
      toDict() {
        return {
          status_code: 200,
          headers: { 'content-type': 'application/json', 'set-cookie': 'id=1' },
          body: { ok: true },
        };
      }
    }
    expect(router.decisionSuccess(['next_step'], new Response()).result?.routing_context).toEqual({
      status_code: 200,
      headers: { 'content-type': 'application/json' },
      body: { ok: true },
    });
  });

  it.each([
    [
      () => DecisionPointOutcome.createSteps([]),
      'decision: the list of step names is empty; to create no steps, call skipBranches with a reason',
    ],
    [
      () => Decision.route([]),
      'decision: the list of step names is empty; to create no steps, call skipBranches with a reason',
    ],
    [() => DecisionPointOutcome.createSteps(['a', '']), "decision: a step name must be a non-empty string, not ''"],
    [() => DecisionPointOutcome.createSteps([1] as never), 'decision: a step name must be a non-empty string, not 1'],
    [() => DecisionPointOutcome.createSteps('a' as never), "createSteps: options must be an object, not 'a'"],
    [
      () => DecisionPointOutcome.createSteps(['a'], { route_type: 'auto' } as never),
      'createSteps: unknown option route_type; the options are stepNames, routingContext, dynamicSteps',
    ],
    [
      () => DecisionPointOutcome.noBranches({ why: 'x' } as never),
      'noBranches: unknown option why; the options are reason, routingContext',
    ],
    [
      () => router.decisionSuccess('a' as never),
      "decision: decisionSuccess takes a list of step names or an outcome, not 'a'",
    ],
    [() => router.decisionSuccess(['a'], [1]), 'decision: a routing context must be an object, not a list of 1'],
    [
      () => router.decisionSuccess({ decisionType: 'both', nextStepNames: [], routingContext: {} } as never),
      "decision: the outcome must be create_steps or no_branches, not 'both'",
    ],
    [
      () => router.decisionNoBranches(DecisionPointOutcome.createSteps(['a'])),
      'decision: decisionNoBranches received an outcome with steps; pass such an outcome to decisionSuccess',
    ],
  ])('fails permanently with the reason if it is invalid (%#)', (make, message) => {
    expect(make).toThrow(refused(message));
  });
});

describe('a decision for no branch', () => {
  it('stores the reason in all argument forms', () => {
    const written = [
      router.skipBranches('condition not met', { amount: 0 }, { by: 'Ada' }),
      router.decisionNoBranches(
        DecisionPointOutcome.noBranches('condition not met', { routingContext: { amount: 0 } }),
        { by: 'Ada' },
      ),
      router.decisionSuccess(
        DecisionPointOutcome.noBranches({ reason: 'condition not met', routingContext: { amount: 0 } }),
        { by: 'Ada' },
      ),
    ];
    for (const one of written) {
      expect(one).toMatchObject({ success: true, metadata: { by: 'Ada', ...signature } });
      expect(one.result).toEqual({
        decision_point_outcome: { type: 'no_branches' },
        reason: 'condition not met',
        skip_reason: 'condition not met',
        routing_context: { amount: 0 },
      });
    }
    expect(router.decisionNoBranches('too small').result).toMatchObject({ reason: 'too small' });
  });

  it('does not require a reason', () => {
    const bare = { decision_point_outcome: { type: 'no_branches' } };
    expect(router.decisionNoBranches().result).toEqual(bare);
    expect(router.decisionNoBranches(DecisionPointOutcome.noBranches()).result).toEqual(bare);
  });
});

describe('a failed decision', () => {
  it('is permanent by default, in all forms of a failure', () => {
    const plain = { success: false, errorMessage: 'no amount', errorType: 'decision_error', retryable: false };
    expect(router.decisionFailure('no amount')).toMatchObject({
      ...plain,
      errorCode: 'DECISION_ERROR',
      metadata: signature,
    });
    expect(router.decisionFailure({ message: 'no amount' })).toEqual(router.decisionFailure('no amount'));
    const busy = { errorType: 'busy', retryable: true, metadata: { at: 1, ...signature } };
    expect(router.decisionFailure('no amount', 'busy', true, { at: 1 })).toMatchObject(busy);
    expect(
      router.decisionFailure('no amount', { errorType: 'busy', retryable: true, metadata: { at: 1 } }),
    ).toMatchObject(busy);
  });
});

describe('a defined decision handler', () => {
  const route = defineDecisionHandler(
    'route_order',
    {
      version: '3.0.0',
      inputs: { amount: z.number().default(0) },
      depends: { score: ['score_order', z.number().nullable()] },
    },
    ({ amount, score }) =>
      amount === 0 ? Decision.skip('nothing to approve') : Decision.route(['manager_approval'], { amount, score }),
  );

  it('is a handler class with the capabilities of decisions', () => {
    const handler = new route();
    expect([handler.name, handler.version]).toEqual(['route_order', '3.0.0']);
    expect(handler.capabilities).toEqual(['process', 'decision', 'routing']);
  });

  it('can route to a branch or skip all branches', async () => {
    expect(await run(route, { inputData: { amount: 7 }, dependencyResults: { score_order: 0.5 } })).toMatchObject({
      result: {
        decision_point_outcome: { type: 'create_steps', step_names: ['manager_approval'] },
        routing_context: { amount: 7, score: 0.5 },
      },
      metadata: { decision_handler: 'route_order', decision_version: '3.0.0' },
    });
    expect(await run(route)).toMatchObject({
      result: { decision_point_outcome: { type: 'no_branches' }, reason: 'nothing to approve' },
    });
  });

  it('can return an outcome, a result, or a promise', async () => {
    const outcome = DecisionPointOutcome.createSteps(['a']);
    const byOutcome = defineDecisionHandler('x', {}, async () => outcome);
    expect((await run(byOutcome)).result).toMatchObject({ steps_created: ['a'] });
    const byHand = { decision_point_outcome: { type: 'create_steps', step_names: ['a'] }, amount: 7000 };
    expect((await run(defineDecisionHandler('x', {}, () => byHand))).result).toEqual(byHand);
    const result = StepHandlerResult.failure('no');
    expect(await run(defineDecisionHandler('x', {}, () => result))).toBe(result);
  });

  it.each([undefined, 'manager_approval', ['manager_approval'], { next: 'a' }])(
    'fails permanently if it returns a value that is not a decision: %j',
    async (returned) => {
      for (const fn of [() => returned, async () => returned]) {
        expect(await run(defineDecisionHandler('x', {}, fn as never))).toMatchObject({
          success: false,
          errorType: 'validation_error',
          retryable: false,
          errorMessage: expect.stringMatching(
            /^decision x: its function returned .*; return Decision\.route\(\[…\]\) or Decision\.skip\('…'\)$/,
          ),
        });
      }
    },
  );

  it('names the step and the path of an invalid dependency', async () => {
    expect(await run(route, { dependencyResults: { score_order: { result: 'high' } } })).toMatchObject({
      success: false,
      errorType: 'validation_error',
      errorMessage: expect.stringContaining('result of step score_order'),
    });
  });
});
