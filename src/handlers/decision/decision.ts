import { DecisionPointOutcome, type DecisionType } from './decision-point-outcome.ts';

// `Symbol.for`, so that two copies of the package in one process know each other's decisions.
const BRAND = Symbol.for('tasker-core.decision');

/**
 * What the function of `defineDecisionHandler` returns.
 *
 * @example
 * Decision.route(['manager_approval'], { amount: 1200 });
 * Decision.skip('nothing to approve');
 */
export class Decision {
  static {
    Object.defineProperty(Decision.prototype, BRAND, { value: true });
  }

  readonly type: DecisionType;
  readonly steps: string[];
  readonly reason?: string;
  /** Stored as `routing_context`, where the branches can read it. */
  readonly routingContext: object;

  constructor(type: DecisionType, steps: readonly string[], reason?: string, routingContext: object = {}) {
    this.type = type;
    this.steps = [...steps];
    if (reason !== undefined) this.reason = reason;
    this.routingContext = routingContext;
  }

  /** Creates these steps of the template. Naming none fails the step for good. */
  static route(steps: readonly string[], routingContext: object = {}): Decision {
    return Decision.of(DecisionPointOutcome.createSteps(steps, { routingContext }));
  }

  /** Creates nothing, and stores why. */
  static skip(reason: string, routingContext: object = {}): Decision {
    return Decision.of(DecisionPointOutcome.noBranches({ reason, routingContext }));
  }

  /** The decision that an outcome is. */
  static of({ decisionType, nextStepNames, reason, routingContext }: DecisionPointOutcome): Decision {
    return new Decision(decisionType, nextStepNames, reason, routingContext);
  }
}

/** The outcome that a decision is; null for what is none, of this copy of the package or of another. */
export function outcomeOfDecision(value: unknown): DecisionPointOutcome | null {
  if (typeof value !== 'object' || value === null || !(BRAND in value)) return null;
  const { type, steps, reason, routingContext } = value as unknown as Decision;
  return {
    decisionType: type,
    nextStepNames: steps,
    ...(reason === undefined ? {} : { reason }),
    routingContext,
  };
}
