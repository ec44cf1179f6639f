import { randomUUID } from 'node:crypto';
import type { EventLog } from '../../../engine/events/log.ts';
import type { GroupConsumers } from './consumers.ts';

/** Dependencies of a {@link GroupMember}. */
export interface GroupMemberParts {
  log: EventLog;
  consumers: Pick<GroupConsumers, 'name' | 'patterns' | 'from'>;
  /**
   * Interval of membership renewals, in milliseconds. A membership expires after three minutes without renewal.
   */
  signEveryMs: number;
}

/**
 * The membership of this process in a group. While the membership is renewed, the group gets the events that the
 * consumers of this process want.
 */
export class GroupMember {
  readonly #member = randomUUID();
  readonly #parts: GroupMemberParts;
  /** Undefined before this process joins the group, and after the group was removed. */
  groupId: number | undefined;
  /** When to renew next, on the clock of `performance.now()`. */
  #signAt = 0;
  #left = false;
  /** Serializes the statements, so that none runs after the one that leaves the group. */
  #lastStatement: Promise<unknown> = Promise.resolve();

  constructor(parts: GroupMemberParts) {
    this.#parts = parts;
  }

  /**
   * Creates the group in the database, or adds this process's patterns to it. The group gets all events committed after
   * that.
   */
  join(): Promise<void> {
    return this.#serialize(async () => {
      const { log, consumers, signEveryMs } = this.#parts;
      const { name, patterns, from } = consumers;
      this.#signAt = performance.now() + signEveryMs;
      this.groupId = await log.joinGroup({ name, patterns, from, member: this.#member });
    });
  }

  /** Renews the membership when it is due. If the group is locked, tries again on the next call. */
  sign(): Promise<void> {
    if (performance.now() < this.#signAt) return Promise.resolve();
    return this.#serialize(async () => {
      const { groupId } = this;
      if (groupId === undefined) return;
      const { log, consumers, signEveryMs } = this.#parts;
      const signed = await log.signGroup({ groupId, member: this.#member, patterns: consumers.patterns });
      if (signed) this.#signAt = performance.now() + signEveryMs;
    });
  }

  /** Ends the membership. Nothing is renewed after that. */
  leave(): Promise<void> {
    const left = this.#serialize(async () => {
      const { groupId } = this;
      if (groupId !== undefined) await this.#parts.log.leaveGroup({ groupId, member: this.#member });
    });
    this.#left = true;
    return left;
  }

  #serialize(act: () => Promise<void>): Promise<void> {
    if (this.#left) return Promise.resolve();
    const result = this.#lastStatement.then(act);
    this.#lastStatement = result.catch(() => undefined);
    return result;
  }
}
