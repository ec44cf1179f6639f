import { isTaskerError } from '../../errors.ts';

/**
 * Returns what adds to a command, or undefined if the credential may not read it, or an older server does not have it. A
 * database always has it.
 */
export async function ifAllowed<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isTaskerError(error) && (error.code === 'forbidden' || error.code === 'not_found')) return undefined;
    throw error;
  }
}
