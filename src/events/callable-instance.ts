import { inspect } from 'node:util';

/**
 * An object that can also be called, and then gives itself: `instance` as a getter reads as `instance()` too. Methods run
 * on the object itself, since a proxy has no `#private` members.
 */
export function callable<T extends object>(target: T): T & (() => T) {
  // It is shown as what stands under the proxy.
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
    // One that takes nothing more would have to be the function under the proxy.
    preventExtensions: () => false,
    defineProperty: (_, key, descriptor) => Reflect.defineProperty(target, key, descriptor),
    deleteProperty: (_, key) => Reflect.deleteProperty(target, key),
    getOwnPropertyDescriptor: (_, key) => Reflect.getOwnPropertyDescriptor(target, key),
    getPrototypeOf: () => Reflect.getPrototypeOf(target),
  });
  return itself;
}

type Method = (...given: unknown[]) => unknown;

/** The method, run on that object whatever it is called on; else the same, so that a test's spy is known as one. */
function on(target: object, method: Method): Method {
  return new Proxy(method, { apply: (itself, _, given: unknown[]) => Reflect.apply(itself, target, given) });
}
