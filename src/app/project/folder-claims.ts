/** What a registry is to change, so that it has what folders export now. */
export interface FolderChange<Thing> {
  removed: Thing[];
  added: Thing[];
  /** What is in the registry for these folders, then. */
  claimed: Thing[];
}

/** Of each registry: what folders put there, and for whom. */
const claimantsIn = new WeakMap<object, WeakMap<object, Set<unknown>>>();

/**
 * What stands in a registry because folders export it: it goes with the last worker that has it from there. What was
 * registered by hand stays.
 */
export class FolderClaims<Thing extends object> {
  readonly #claimants: WeakMap<object, Set<unknown>>;
  #claimed: readonly Thing[] = [];

  /** Workers that are given the same registry share what is in it. */
  constructor(registry: object) {
    this.#claimants = claimantsIn.get(registry) ?? new WeakMap();
    claimantsIn.set(registry, this.#claimants);
  }

  /** By name: what is in the registry, and what the folders export. */
  changeTo(found: ReadonlyMap<string, Thing>, there: ReadonlyMap<string, Thing>): FolderChange<Thing> {
    const change: FolderChange<Thing> = { removed: [], added: [], claimed: [] };
    for (const [name, before] of there) {
      const now = found.get(name);
      if (now === undefined ? this.#isLast(before) : now !== before && this.#mayReplace(before))
        change.removed.push(before);
    }
    for (const [name, now] of found) {
      const before = there.get(name);
      if (before && !change.removed.includes(before)) {
        if (this.#claimants.has(before)) change.claimed.push(before);
        continue;
      }
      change.added.push(now);
      change.claimed.push(now);
    }
    return change;
  }

  /** The registry has these for its folders. What it had before and is still there is left to whoever reads folders next. */
  claim(things: readonly Thing[]): void {
    for (const thing of this.#claimed) this.#claimants.get(thing)?.delete(this);
    for (const thing of things) {
      const claimants = this.#claimants.get(thing) ?? new Set();
      this.#claimants.set(thing, claimants.add(this));
    }
    this.#claimed = things;
  }

  /** Nobody else has it from a folder. */
  #isLast(thing: Thing): boolean {
    const claimants = this.#claimants.get(thing);
    return claimants !== undefined && claimants.size === (claimants.has(this) ? 1 : 0);
  }

  /** It came from these folders, or from those of a worker that is gone. */
  #mayReplace(thing: Thing): boolean {
    const claimants = this.#claimants.get(thing);
    return claimants !== undefined && (claimants.size === 0 || claimants.has(this));
  }
}
