import type { Fields } from '../../model/json.ts';
import { misuse, shown } from '../misuse.ts';

// `Symbol.for`, so that two copies of the package in one process recognize each other's decisions.
const BRAND = Symbol.for('tasker-core.decision');

/**
 * The return value of a `defineDecisionHandler` function.
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
  /** Stored as `routing_context` in the result, where the branches can read it. */
  readonly routingContext: object;

  constructor(type: DecisionType, steps: readonly string[], reason?: string, routingContext: object = {}) {
    this.type = type;
    this.steps = [...steps];
    if (reason !== undefined) this.reason = reason;
    this.routingContext = routingContext;
  }

  /** Creates these steps of the template. An empty list fails the step permanently. */
  static route(steps: readonly string[], routingContext: object = {}): Decision {
    return Decision.of(DecisionPointOutcome.createSteps(steps, { routingContext }));
  }

  /** Creates no steps, and stores the reason. */
  static skip(reason: string, routingContext: object = {}): Decision {
    return Decision.of(DecisionPointOutcome.noBranches({ reason, routingContext }));
  }

  /** Returns the decision for an outcome. */
  static of({ decisionType, nextStepNames, reason, routingContext }: DecisionPointOutcome): Decision {
    return new Decision(decisionType, nextStepNames, reason, routingContext);
  }
}

/** Returns the outcome of a decision, from this copy of the package or another. Null if the value is not a decision. */
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

/**
 * The possible outcomes of a decision.
 *
 * @example
 * const nothing = outcome.decisionType === DecisionType.NO_BRANCHES;
 */
export const DecisionType = Object.freeze({ CREATE_STEPS: 'create_steps', NO_BRANCHES: 'no_branches' } as const);

/** A value of {@link DecisionType}. */
export type DecisionType = (typeof DecisionType)[keyof typeof DecisionType];

/** The outcome of a decision: the steps to create, or none. A plain object with this shape is also accepted. */
export interface DecisionPointOutcome {
  decisionType: DecisionType;
  /** The steps of the template to create after the decision. Empty without branches. */
  nextStepNames: string[];
  /** Stored in the result as `dynamic_steps`, for information only: the engine creates only steps of the template. */
  dynamicSteps?: Fields[];
  /** The reason why there are no branches. */
  reason?: string;
  /** Stored in the result as `routing_context`, where the branches can read it. */
  routingContext: object;
}

/** Options of an outcome with branches. */
export interface CreateStepsOptions {
  /** Stored in the result as `routing_context`, where the branches can read it. Default none. */
  routingContext?: object;
  dynamicSteps?: Fields[];
}

/** Options of an outcome without branches. */
export interface NoBranchesOptions {
  reason?: string;
  /** Stored in the result as `routing_context`. Default none. */
  routingContext?: object;
}

/**
 * Creates outcomes of decisions: `createSteps(names, options?)` or `createSteps({ stepNames, … })`, and
 * `noBranches(reason?, options?)` or `noBranches({ reason, … })`. An unknown option or an empty list of steps throws a
 * permanent `validation_error`.
 *
 * @example
 * const outcome = DecisionPointOutcome.createSteps(['manager_approval'], { routingContext: { route_type: 'manager' } });
 * const none = DecisionPointOutcome.noBranches('the amount is zero');
 */
export const DecisionPointOutcome = Object.freeze({ createSteps, noBranches });

function createSteps(stepNames: readonly string[], options?: CreateStepsOptions): DecisionPointOutcome;
function createSteps(given: CreateStepsOptions & { stepNames: readonly string[] }): DecisionPointOutcome;
function createSteps(
  first: readonly string[] | (CreateStepsOptions & { stepNames: readonly string[] }),
  more: CreateStepsOptions = {},
): DecisionPointOutcome {
  const given = isNames(first) ? { ...more, stepNames: first } : first;
  refuseUnknown('createSteps', given, ['stepNames', 'routingContext', 'dynamicSteps']);
  const { stepNames, routingContext = {}, dynamicSteps } = given;
  return {
    decisionType: DecisionType.CREATE_STEPS,
    nextStepNames: checkedNames(stepNames),
    ...(dynamicSteps === undefined ? {} : { dynamicSteps }),
    routingContext,
  };
}

function noBranches(reason?: string, options?: Omit<NoBranchesOptions, 'reason'>): DecisionPointOutcome;
function noBranches(given: NoBranchesOptions): DecisionPointOutcome;
function noBranches(first?: string | NoBranchesOptions, more: NoBranchesOptions = {}): DecisionPointOutcome {
  const given = typeof first === 'object' ? first : { ...more, reason: first };
  refuseUnknown('noBranches', given, ['reason', 'routingContext']);
  const { reason, routingContext = {} } = given;
  return {
    decisionType: DecisionType.NO_BRANCHES,
    nextStepNames: [],
    ...(reason === undefined ? {} : { reason }),
    routingContext,
  };
}

/** Returns the names without duplicates. Throws if they are invalid. */
export function checkedNames(stepNames: unknown): string[] {
  if (!isNames(stepNames)) throw misuse(`decision: step names must be a list of strings, not ${shown(stepNames)}`);
  const wrong = stepNames.find((name) => typeof name !== 'string' || name === '');
  if (wrong !== undefined) throw misuse(`decision: a step name must be a non-empty string, not ${shown(wrong)}`);
  if (stepNames.length === 0)
    throw misuse('decision: the list of step names is empty; to create no steps, call skipBranches with a reason');
  return [...new Set(stepNames)];
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value);
}

function refuseUnknown(where: string, given: object, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null)
    throw misuse(`${where}: options must be an object, not ${shown(given)}`);
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown !== undefined) throw misuse(`${where}: unknown option ${unknown}; the options are ${known.join(', ')}`);
}
