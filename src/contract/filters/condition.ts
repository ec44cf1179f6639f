import { camelCase } from '../../model/key-case.ts';

/**
 * A condition of a search. The query of the API, its description, and the options of the command line derive from it.
 * Only data, because the command line reads it whenever it starts.
 */
export interface Condition {
  /** The kind of its value. The times of `after` and `before` are those of `event`. */
  readonly kind: keyof KindValues;
  /** The name of the condition in the library, in snake_case, if it has another one. The option has this name too. */
  readonly own?: string;
  /** The letter of the short option. */
  readonly short?: string;
  /** The placeholder for the value in the help. */
  readonly value?: string;
  /** The help of the option. A condition without it has no option. */
  readonly help?: string;
  /** The words for it where the conditions of a search are described. Default: those of its name. */
  readonly words?: string;
  /** The values that the option accepts. */
  readonly choices?: readonly string[];
  /** The event whose time it limits, such as `created`. */
  readonly event?: string;
  /** The description of the parameter, in Markdown. */
  readonly description?: string;
  readonly example?: string | readonly string[];
}

/** The conditions of a search, under the names of their parameters, in the order of the help. */
export type Conditions = Readonly<Record<string, Condition>>;

/** The value of an option, by kind. */
interface KindValues {
  text: string;
  /** Texts that must all apply. */
  texts: string[];
  /** States of which one must apply. */
  states: string[];
  /** One of `choices`. */
  choice: string;
  /** A whole number, at least 1. */
  number: number;
  /** A condition that is on or off. */
  flag: boolean;
  /** A time or an age. */
  after: string;
  /** A time or an age. */
  before: string;
  /** A JSON object. */
  object: Record<string, unknown>;
}

/** `created_after` as `createdAfter`. */
type CamelCase<Name extends string> = Name extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : Name;
type OwnName<Name extends string, One> = CamelCase<One extends { own: infer Own extends string } ? Own : Name>;
type ValueOf<One extends Condition> = One extends { choices: readonly (infer Choice extends string)[] }
  ? Choice
  : KindValues[One['kind']];

/** Conditions under their names in the library, with the values that the options of the command line have. */
export type ConditionValues<All extends Conditions> = {
  -readonly [Name in keyof All & string as OwnName<Name, All[Name]>]?: ValueOf<All[Name]>;
};

/** A condition, with its parameter and its name in the library. */
export interface NamedCondition extends Condition {
  parameter: string;
  name: string;
}

/** Returns conditions with their names. Several parameters can have the same name in the library. */
export function namedConditions(all: Conditions): NamedCondition[] {
  return Object.entries(all).map(([parameter, one]) => ({
    ...one,
    parameter,
    name: camelCase(one.own ?? parameter),
  }));
}
