import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionError, sqlState } from '../db/connection-error.ts';

const FIRST_MS = 50;
/** Some three seconds in all: a server that restarts is back by then. */
const TRIES = 7;
const ALREADY_THERE = '23505';

/**
 * Creates something under ids that the caller made, although connections are lost. When an answer is lost, `find` tells
 * what the lost try did: what it committed is the answer, and nothing is created twice.
 * @throws what the last try threw, when the server stays away
 */
export async function createDespiteLoss<T>(create: () => Promise<T>, find: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return (tries > 0 ? await find() : undefined) ?? (await create());
    } catch (error) {
      // The lost try may have committed between our look and our own try.
      const committed = tries > 0 && sqlState(error) === ALREADY_THERE;
      if (tries === TRIES - 1 || !(committed || isConnectionError(error))) throw error;
    }
    await sleep(FIRST_MS * 2 ** tries);
  }
}
