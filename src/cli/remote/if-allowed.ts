import { isTaskerError } from '../../errors.ts';

/**
 * Returns optional data of a command. Undefined if the credential may not read it, or if the server is too old for it.
 */
export async function ifAllowed<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isTaskerError(error) && (error.code === 'forbidden' || error.code === 'not_found')) return undefined;
    throw error;
  }
}
