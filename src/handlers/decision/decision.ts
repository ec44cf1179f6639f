import type { Fields } from '../../model/fields.ts';
import { misuse, shown } from '../misuse.ts';

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

/**
 * What a decision may come to.
 *
 * @example
 * const nothing = outcome.decisionType === DecisionType.NO_BRANCHES;
 */
export const DecisionType = Object.freeze({ CREATE_STEPS: 'create_steps', NO_BRANCHES: 'no_branches' } as const);

/** One of the texts of {@link DecisionType}. */
export type DecisionType = (typeof DecisionType)[keyof typeof DecisionType];

/** What a decision came to: which steps are created, or none. A plain object of this shape is one too. */
export interface DecisionPointOutcome {
  decisionType: DecisionType;
  /** Steps of the template that come after the decision; empty without branches. */
  nextStepNames: string[];
  /** Stored with the result as `dynamic_steps`, for who reads it; the engine creates steps of the template only. */
  dynamicSteps?: Fields[];
  /** Why there are no branches. */
  reason?: string;
  /** Stored with the result as `routing_context`, where the branches can read it. */
  routingContext: object;
}

/** What an outcome with branches may say besides their names. */
export interface CreateStepsOptions {
  /** Stored as `routing_context`, where the branches can read it; default none. */
  routingContext?: object;
  dynamicSteps?: Fields[];
}

/** What an outcome without branches may say. */
export interface NoBranchesOptions {
  reason?: string;
  /** Stored as `routing_context`; default none. */
  routingContext?: object;
}

/**
 * Makes outcomes of decisions: `createSteps(names, options?)` or `createSteps({ stepNames, … })`, and
 * `noBranches(reason?, options?)` or `noBranches({ reason, … })`. Unknown options are refused by name, as is a decision
 * for no step at all: a failure for good, of type `validation_error`.
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

/** The names, each once, or an error that says what is wrong with them. */
export function checkedNames(stepNames: unknown): string[] {
  if (!isNames(stepNames)) throw misuse(`decision: step names must be a list of texts, not ${shown(stepNames)}`);
  const wrong = stepNames.find((name) => typeof name !== 'string' || name === '');
  if (wrong !== undefined) throw misuse(`decision: a step name must be a text that is not empty, not ${shown(wrong)}`);
  if (stepNames.length === 0) throw misuse('decision: no step is named; without branches say why, with skipBranches');
  return [...new Set(stepNames)];
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value);
}

function refuseUnknown(where: string, given: object, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null)
    throw misuse(`${where}: options must be an object, not ${shown(given)}`);
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw misuse(`${where}: there is no option ${unknown}; the options are ${known.join(', ')}`);
}
