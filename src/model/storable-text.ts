/** Whether PostgreSQL can hold a text as it is given: it refuses U+0000, and half a surrogate pair has no UTF-8 form. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}
