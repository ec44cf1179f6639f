/**
 * An object that can also be called, and then gives itself: `instance` as a getter reads as `instance()` too. Methods run
 * on the object itself, since a proxy has no `#private` members.
 */
export function callable<T extends object>(target: T): T & (() => T) {
  const itself: T & (() => T) = new Proxy((() => undefined) as unknown as T & (() => T), {
    apply: () => itself,
    get: (_, key) => {
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' && key !== 'constructor' ? value.bind(target) : value;
    },
    set: (_, key, value) => Reflect.set(target, key, value, target),
    has: (_, key) => Reflect.has(target, key),
    getPrototypeOf: () => Reflect.getPrototypeOf(target),
  });
  return itself;
}
