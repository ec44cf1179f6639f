import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { readArchive } from '../../../src/app/retention.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import { isConnectionError } from '../../../src/db/connection-error.ts';
import type { PruneFilter } from '../../../src/engine/retention/plan.ts';
import type { Sql } from '../database.ts';
import { endTurn, temporaryFolder } from '../retention.ts';

/** Prunes ended tasks concurrently with everything else, one prune after the other, with archives in one folder. */
export class Prunes {
  readonly #tasker: Tasker;
  readonly #sql: Sql;
  readonly #folder = temporaryFolder();
  #running: Promise<number> | undefined;

  constructor(tasker: Tasker, sql: Sql) {
    this.#tasker = tasker;
    this.#sql = sql;
  }

  /** Waits for the last prune, and starts the next one. Returns the number of tasks that the last prune deleted. */
  async next(filter: PruneFilter, signal?: AbortSignal): Promise<number> {
    const deleted = (await this.#running) ?? 0;
    await endTurn(this.#sql);
    this.#running = this.#prune(filter, signal);
    return deleted;
  }

  async #prune(filter: PruneFilter, signal: AbortSignal | undefined): Promise<number> {
    let done = 0;
    try {
      const prune = this.#tasker.prune(filter, { archive: this.#folder, share: 1, signal });
      for await (const { deleted } of prune) done = deleted;
    } catch (error) {
      if (!signal?.aborted && !isConnectionError(error)) throw error;
    }
    return done;
  }

  /** Waits for the last prune, and finishes the files of the prunes that ended early. Returns the tasks in the archives. */
  async archived(): Promise<string[]> {
    const nothing = { olderThan: '9999d' };
    await this.next(nothing);
    await this.next(nothing);
    await this.#running;
    expect(readdirSync(this.#folder).filter((name) => !name.endsWith('.ndjson.gz'))).toEqual([]);
    const found: string[] = [];
    for (const file of this.#files()) for await (const { taskUuid } of readArchive(file)) found.push(taskUuid);
    return found;
  }

  /** Restores the tasks of all archives. Returns their number. */
  async restore(): Promise<number> {
    let count = 0;
    for (const file of this.#files()) {
      const { restored, failed, damage } = await this.#tasker.restoreArchive(file).result();
      expect({ failed, damage }).toEqual({ failed: 0, damage: null });
      count += restored;
    }
    return count;
  }

  #files(): string[] {
    return readdirSync(this.#folder).map((name) => path.join(this.#folder, name));
  }
}
