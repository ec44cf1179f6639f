/**
 * Gives a class a member that its subclasses may have as a `static` or as a field of the instance, the latter winning.
 * An accessor, since a field here would hide a subclass's accessor; with a setter, since fields are assigned where
 * `useDefineForClassFields` is off.
 */
export function readFromClass(prototype: object, member: string, fallback: (owner: { name: string }) => unknown): void {
  Object.defineProperty(prototype, member, {
    configurable: true,
    get(this: object): unknown {
      const owner = this.constructor as unknown as Record<string, unknown> & { name: string };
      return owner[member] || fallback(owner);
    },
    set(this: object, value: unknown) {
      Object.defineProperty(this, member, { value, configurable: true, enumerable: true, writable: true });
    },
  });
}
