import { randomUUID } from 'node:crypto';
import type { EventLog } from '../../../engine/events/log.ts';
import type { GroupConsumers } from './consumers.ts';

/** What a {@link GroupMember} is made from. */
export interface GroupMemberParts {
  log: EventLog;
  consumers: Pick<GroupConsumers, 'name' | 'patterns' | 'from'>;
  /** Between two signs that this process works for the group. Others take it for gone after three minutes without one. */
  signEveryMs: number;
}

/** That this process works for a group: the group gets what its consumers ask for, as long as it says so now and then. */
export class GroupMember {
  readonly #member = randomUUID();
  readonly #parts: GroupMemberParts;
  /** Undefined: it has not joined, or its group was removed. */
  groupId: number | undefined;
  /** By this process's clock. */
  #signAt = 0;
  #left = false;
  /** One after the other, so that nothing is said after the leave. */
  #saying: Promise<unknown> = Promise.resolve();

  constructor(parts: GroupMemberParts) {
    this.#parts = parts;
  }

  /** Makes its group in the database, or says what it is to get too. From then on it gets what is committed. */
  join(): Promise<void> {
    return this.#say(async () => {
      const { log, consumers, signEveryMs } = this.#parts;
      const { name, patterns, from } = consumers;
      this.#signAt = performance.now() + signEveryMs;
      this.groupId = await log.joinGroup({ name, patterns, from, member: this.#member });
    });
  }

  /** Says that it still works for its group, when it is time to. While the group is locked it is said a little later. */
  sign(): Promise<void> {
    if (performance.now() < this.#signAt) return Promise.resolve();
    return this.#say(async () => {
      const { groupId } = this;
      if (groupId === undefined) return;
      const { log, consumers, signEveryMs } = this.#parts;
      const signed = await log.signGroup({ groupId, member: this.#member, patterns: consumers.patterns });
      if (signed) this.#signAt = performance.now() + signEveryMs;
    });
  }

  /** Says, as the last thing, that it works for its group no more. */
  leave(): Promise<void> {
    const left = this.#say(async () => {
      const { groupId } = this;
      if (groupId !== undefined) await this.#parts.log.leaveGroup({ groupId, member: this.#member });
    });
    this.#left = true;
    return left;
  }

  #say(act: () => Promise<void>): Promise<void> {
    if (this.#left) return Promise.resolve();
    const said = this.#saying.then(act);
    this.#saying = said.catch(() => undefined);
    return said;
  }
}
