import { isStorableText } from '../model/storable-text.ts';

/** What {@link isGroupName} asks for, in words. */
export const GROUP_NAME_WORDS = 'a text of 1 to 255 characters that PostgreSQL can hold';

/** Whether a group may be called so. One that can't be stored would never be made, and look as if the database were away. */
export function isGroupName(name: unknown): name is string {
  return typeof name === 'string' && name.trim() !== '' && name.length <= 255 && isStorableText(name);
}
