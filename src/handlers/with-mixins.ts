import { TaskerError } from '../errors.ts';
import { extendsStepHandler, prototypeOf } from './step-handler.ts';

/** Any class, abstract or not. */
export type AnyClass = abstract new (...args: never[]) => object;

/** A class whose members can be copied to another: constructed without arguments, with its methods on the prototype. */
export type Mixin = new () => object;

type InstancesOf<Mixins extends readonly Mixin[]> = Mixins extends readonly [
  infer First extends Mixin,
  ...infer Rest extends readonly Mixin[],
]
  ? InstanceType<First> & InstancesOf<Rest>
  : unknown;

type StaticsOf<Class> = Omit<Class, 'prototype'>;

type StaticsOfAll<Mixins extends readonly Mixin[]> = Mixins extends readonly [
  infer First extends Mixin,
  ...infer Rest extends readonly Mixin[],
]
  ? StaticsOf<First> & Omit<StaticsOfAll<Rest>, keyof First>
  : unknown;

/** The class that {@link withMixins} returns. Its instances are a `Base` and each of the mixins. */
export type MixedClass<Base extends AnyClass, Mixins extends readonly Mixin[]> = (abstract new (
  ...args: ConstructorParameters<Base>
) => InstanceType<Base> & InstancesOf<Mixins>) &
  StaticsOf<Base> &
  Omit<StaticsOfAll<Mixins>, keyof Base>;

/**
 * Returns a class to extend, which is a `Base` with the members of the mixins: methods, accessors, fields and statics.
 * If several have the same member, the one listed first wins, but `capabilities` are combined. The methods are the
 * mixins' own functions.
 *
 * A mixin is constructed without arguments and has no `#private` members, because its methods run on the handler.
 * Throws `handler_invalid` if an argument is not a class, or not a mixin.
 *
 * @example
 * class RouteOrder extends withMixins(StepHandler, DecisionMixin) {
 *   static override handlerName = 'route_order';
 *
 *   call(context: StepContext) {
 *     return context.getInput('express') ? this.decisionSuccess(['ship_express']) : this.skipBranches('not asked for');
 *   }
 * }
 */
export function withMixins<Base extends AnyClass, const Mixins extends readonly Mixin[]>(
  base: Base,
  ...mixins: Mixins
): MixedClass<Base, Mixins> {
  refuseInvalidClasses(base, mixins);
  const Parent = base as unknown as new (...args: unknown[]) => object;

  class Mixed extends Parent {
    constructor(...args: unknown[]) {
      super(...args);
      for (const Part of mixins) giveMembers(this, Object.getOwnPropertyDescriptors(new Part()));
    }
  }
  for (const Part of mixins) {
    for (const layer of layersOf(Part.prototype)) giveMembers(Mixed.prototype, Object.getOwnPropertyDescriptors(layer));
    for (const layer of layersOf(Part)) giveMembers(Mixed, Object.getOwnPropertyDescriptors(layer));
  }
  uniteCapabilities(Mixed.prototype, Parent.prototype as object, mixins);
  Object.defineProperty(Mixed, 'name', { value: [base, ...mixins].map(({ name }) => name).join('+') });
  return Mixed as unknown as MixedClass<Base, Mixins>;
}

/**
 * Adds the members of a mixin to one object, for a constructor that calls `applyDecision(this)`, for example. Existing
 * members are kept.
 */
export function applyMixin<Target extends object, Part extends Mixin>(
  target: Target,
  mixin: Part,
): Target & InstanceType<Part> {
  const inherited: object = Object.getPrototypeOf(target);
  const own = Object.getOwnPropertyDescriptor(target, 'capabilities');
  giveMembers(target, Object.getOwnPropertyDescriptors(new mixin()));
  for (const layer of layersOf(mixin.prototype)) giveMembers(target, Object.getOwnPropertyDescriptors(layer));
  uniteCapabilities(target, own ? Object.defineProperty({}, 'capabilities', own) : inherited, [mixin]);
  return target as Target & InstanceType<Part>;
}

/**
 * Returns a class whose prototype has the members of an object. In a mixin, the members run with the handler as `this`.
 */
export function withMembers<Members extends object>(
  members: Members,
): { new (): Members; readonly prototype: Members } {
  class Part {}
  for (const [name, member] of Object.entries(Object.getOwnPropertyDescriptors(members))) {
    Object.defineProperty(Part.prototype, name, { ...member, enumerable: false });
  }
  return Part as { new (): Members; readonly prototype: Members };
}

const OF_EVERY_CLASS: ReadonlySet<PropertyKey> = new Set(['constructor', 'prototype', 'name', 'length', 'caller']);

/** Adds members to a prototype, a class or an object. Existing members are kept. */
export function giveMembers(target: object, members: Record<PropertyKey, PropertyDescriptor>): void {
  for (const key of Reflect.ownKeys(members)) {
    if (OF_EVERY_CLASS.has(key) && (typeof target === 'function' || key === 'constructor')) continue;
    if (has(target, key)) continue;
    Object.defineProperty(target, key, { ...members[key as string], configurable: true });
  }
}

/**
 * Returns whether a member exists. A field that is declared but not set (`get!: …`) exists as undefined and is treated
 * as missing.
 */
function has(target: object, key: PropertyKey): boolean {
  const own = Object.getOwnPropertyDescriptor(target, key);
  if (own) return own.get !== undefined || own.set !== undefined || own.value !== undefined;
  return key in target;
}

/** Returns a prototype and its ancestors, nearest first, without `Object.prototype` and `Function.prototype`. */
function layersOf(start: object): object[] {
  const layers: object[] = [];
  for (
    let layer: object | null = start;
    layer && layer !== Object.prototype && layer !== Function.prototype;
    layer = Object.getPrototypeOf(layer)
  )
    layers.push(layer);
  return layers;
}

function uniteCapabilities(target: object, before: object, mixins: readonly Mixin[]): void {
  const sources = [before, ...mixins.map((mixin) => mixin.prototype as object)].filter((one) => 'capabilities' in one);
  if (sources.length === 0) return;
  Object.defineProperty(target, 'capabilities', {
    configurable: true,
    get(this: object): string[] {
      return [...new Set(sources.flatMap((source) => Reflect.get(source, 'capabilities', this) as string[]))];
    },
  });
}

function refuseInvalidClasses(base: unknown, mixins: readonly unknown[]): void {
  const refuse = (what: string): never => {
    throw new TaskerError('handler_invalid', `withMixins: ${what}`);
  };
  if (!isClass(base)) refuse(`the first argument must be a class such as StepHandler, not ${named(base)}`);
  for (const [index, mixin] of mixins.entries()) {
    if (!isClass(mixin)) {
      refuse(`argument ${index + 2} is ${named(mixin)}, which is not a mixin; pass a class such as APIMixin`);
    } else if (extendsStepHandler(mixin)) {
      const name = (mixin as { name: string }).name;
      refuse(
        extendsStepHandler(base)
          ? `${name} is a handler, not a mixin; extend it instead, or pass the mixin that it uses`
          : `${name} must come first: withMixins(${name}, ${(base as { name: string }).name})`,
      );
    }
  }
}

function isClass(value: unknown): value is AnyClass {
  return prototypeOf(value) !== null;
}

function named(value: unknown): string {
  if (typeof value === 'function') return `the function ${value.name || 'without a name'}`;
  return value === null || typeof value !== 'object' ? String(value) : 'an object';
}
