import { inspect } from 'node:util';

/**
 * Makes an object callable. The call returns the object itself, so a getter `instance` can also be used as
 * `instance()`. Methods run on the original object, because a proxy has no `#private` members.
 */
export function callable<T extends object>(target: T): T & (() => T) {
  // Printing the proxy shows the target object.
  const shell = Object.assign(() => undefined, { [inspect.custom]: () => target });
  const itself: T & (() => T) = new Proxy(shell as unknown as T & (() => T), {
    apply: () => itself,
    get: (_, key) => {
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' && key !== 'constructor' ? on(target, value as Method) : value;
    },
    set: (_, key, value) => Reflect.set(target, key, value, target),
    has: (_, key) => Reflect.has(target, key),
    ownKeys: () => Reflect.ownKeys(target),
    // Not supported, because a proxy may report success only if its target function is not extensible either.
    preventExtensions: () => false,
    defineProperty: (_, key, descriptor) => Reflect.defineProperty(target, key, descriptor),
    deleteProperty: (_, key) => Reflect.deleteProperty(target, key),
    getOwnPropertyDescriptor: (_, key) => Reflect.getOwnPropertyDescriptor(target, key),
    getPrototypeOf: () => Reflect.getPrototypeOf(target),
  });
  return itself;
}

type Method = (...given: unknown[]) => unknown;

/** Binds a method to an object. A proxy keeps the method's other members, so that a test's spy is still recognized. */
function on(target: object, method: Method): Method {
  return new Proxy(method, { apply: (itself, _, given: unknown[]) => Reflect.apply(itself, target, given) });
}
