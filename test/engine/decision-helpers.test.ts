import { describe, expect, it } from 'vitest';
import {
  Decision,
  DecisionHandler,
  DecisionMixin,
  DecisionPointOutcome,
  defineDecisionHandler,
  defineHandler,
  type StepContext,
  StepHandler,
  type StepHandlerClass,
  type StepHandlerResult,
  withMixins,
} from '../../src/index.ts';
import { itOnce, states } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

/** start → route (decision) → a | b, which `join` joins, and then `last`. */
const ROUTE = {
  start: [],
  route: { type: 'decision', dependencies: ['start'] },
  a: ['route'],
  b: ['route'],
  join: { type: 'deferred_convergence', dependencies: ['a', 'b'] },
  last: ['join'],
};
const BESIDE = { start: 'complete', route: 'complete', join: 'complete', last: 'complete' };

const shared = sharedDatabase();

const plain = (name: string) =>
  defineHandler(name, { depends: { route: 'route' } }, ({ route, context }) => ({
    route,
    saw: context.getDependencyResultKeys(),
  }));

async function run(route: StepHandlerClass) {
  const handlers = [defineHandler('start', {}, () => ({ ok: true })), route, ...['a', 'b', 'join', 'last'].map(plain)];
  const { tasker, demo } = await shared.setup(ROUTE, { handlers });
  const { taskUuid } = await tasker.createTask(demo);
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const results = async (name: string) => (await tasker.getStep(taskUuid, name)).results!;
  return { status, states: await states(tasker, taskUuid), results };
}

type Decide = (handler: DecisionHandler, context: StepContext) => StepHandlerResult;

/** Returns a decision as a class that extends DecisionHandler, and as a class with the decision mixin. */
function bothClasses(decide: Decide): StepHandlerClass[] {
  class Own extends DecisionHandler {
    static override handlerName = 'route';
    call(context: StepContext) {
      return decide(this, context);
    }
  }
  class Mixed extends withMixins(StepHandler, DecisionMixin) {
    static override handlerName = 'route';
    call(context: StepContext) {
      return decide(this, context);
    }
  }
  return [Own, Mixed];
}

const branching: [string, Decide][] = [
  ['decisionSuccess with names', (h) => h.decisionSuccess(['a'], { key: 'value' }, { by: 'Ada' })],
  [
    'decisionSuccess with an outcome',
    (h) =>
      h.decisionSuccess(DecisionPointOutcome.createSteps(['a'], { routingContext: { key: 'value' } }), { by: 'Ada' }),
  ],
  [
    'decisionSuccessWithOutcome',
    (h) =>
      h.decisionSuccessWithOutcome(
        DecisionPointOutcome.createSteps({ stepNames: ['a'], routingContext: { key: 'value' } }),
        { by: 'Ada' },
      ),
  ],
  ['routeToSteps', (h) => h.routeToSteps(['a'], { key: 'value' }, { by: 'Ada' })],
];

const skipping: [string, Decide][] = [
  ['skipBranches', (h) => h.skipBranches('condition not met', { amount: 0 }, { by: 'Ada' })],
  [
    'decisionNoBranches',
    (h) =>
      h.decisionNoBranches(
        DecisionPointOutcome.noBranches({ reason: 'condition not met', routingContext: { amount: 0 } }),
        { by: 'Ada' },
      ),
  ],
  [
    'decisionSuccess with an outcome without branches',
    (h) =>
      h.decisionSuccess(DecisionPointOutcome.noBranches('condition not met', { routingContext: { amount: 0 } }), {
        by: 'Ada',
      }),
  ],
];

describe('a decision handler on a real engine', () => {
  itOnce.each(branching)(
    '%s creates the branch, which reads the routing context, and its convergence',
    async (_, decide) => {
      for (const route of bothClasses(decide)) {
        const seen = await run(route);
        expect(seen.status).toBe('complete');
        expect(seen.states).toEqual({ ...BESIDE, a: 'complete' });
        const decision = {
          decision_point_outcome: { type: 'create_steps', step_names: ['a'] },
          steps_created: ['a'],
          routing_context: { key: 'value' },
        };
        const { result, metadata } = await seen.results('route');
        expect(result).toEqual(decision);
        expect(metadata.custom).toMatchObject({ by: 'Ada', decision_handler: 'route' });
        expect((await seen.results('a')).result).toMatchObject({ route: decision });
        expect((await seen.results('join')).result).toMatchObject({ saw: ['start', 'route', 'a'] });
      }
    },
  );

  itOnce.each(skipping)('%s creates nothing and stores the reason, and the task completes', async (_, decide) => {
    for (const route of bothClasses(decide)) {
      const seen = await run(route);
      expect(seen.status).toBe('complete');
      expect(seen.states).toEqual({ start: 'complete', route: 'complete' });
      const { result, metadata } = await seen.results('route');
      expect(result).toEqual({
        decision_point_outcome: { type: 'no_branches' },
        reason: 'condition not met',
        skip_reason: 'condition not met',
        routing_context: { amount: 0 },
      });
      expect(metadata.custom).toMatchObject({ by: 'Ada', decision_handler: 'route' });
    }
  });

  it('decisionFailure fails the step permanently and creates nothing, unless it is marked as retryable', async () => {
    for (const route of bothClasses((h) => h.decisionFailure('no amount'))) {
      const seen = await run(route);
      expect(seen.status).toBe('blocked_by_failures');
      expect(seen.states).toEqual({ start: 'complete', route: 'error' });
      expect((await seen.results('route')).error).toMatchObject({
        message: 'no amount',
        error_type: 'decision_error',
        retryable: false,
      });
    }
    for (const route of bothClasses((h, { attempt }) =>
      attempt === 1
        ? h.decisionFailure({ message: 'busy', retryable: true, retryAfter: 0.001 })
        : h.decisionSuccess(['b']),
    )) {
      expect((await run(route)).states).toEqual({ ...BESIDE, b: 'complete' });
    }
  });
});

describe('a decision function on a real engine', () => {
  it('a function that returns Decision.route creates the branches', async () => {
    const seen = await run(defineDecisionHandler('route', {}, () => Decision.route(['a', 'b'], { key: 'value' })));
    expect(seen.status).toBe('complete');
    expect(seen.states).toEqual({ ...BESIDE, a: 'complete', b: 'complete' });
    expect((await seen.results('b')).result).toMatchObject({ route: { routing_context: { key: 'value' } } });
  });

  it('a function that returns Decision.skip creates nothing and stores the reason, and the task completes', async () => {
    const seen = await run(defineDecisionHandler('route', {}, () => Decision.skip('condition not met')));
    expect(seen.status).toBe('complete');
    expect(seen.states).toEqual({ start: 'complete', route: 'complete' });
    expect((await seen.results('route')).result).toMatchObject({
      decision_point_outcome: { type: 'no_branches' },
      reason: 'condition not met',
    });
  });

  it('a function can return a DecisionPointOutcome', async () => {
    const routed = await run(defineDecisionHandler('route', {}, () => DecisionPointOutcome.createSteps(['a'])));
    expect(routed.states).toEqual({ ...BESIDE, a: 'complete' });
    const skipped = await run(defineDecisionHandler('route', {}, async () => DecisionPointOutcome.noBranches('small')));
    expect(skipped.states).toEqual({ start: 'complete', route: 'complete' });
  });
});
