/**
 * Defines a member that subclasses can set as a static member or as an instance field. The field takes precedence. It
 * is an accessor, because a field would hide a subclass's accessor. It has a setter, because without
 * `useDefineForClassFields`, fields are assigned.
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
