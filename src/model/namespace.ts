/** Matches the characters of a namespace. Does not check the length. */
export const NAMESPACE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Maximum length of a namespace, in characters. */
export const LONGEST_NAMESPACE = 29;

/** The characters of a namespace, as a string that follows "must be". */
export const NAMESPACE_CHARACTERS = 'letters, digits and underscores, and must not begin with a digit';

/** The whole rule, for messages that are not about templates. */
export const NAMESPACE_RULE = `a namespace has 1 to ${LONGEST_NAMESPACE} letters, digits and underscores, and does not begin with a digit`;

/** Returns whether a string is a valid namespace of a template. */
export function isNamespace(text: string): boolean {
  return text.length <= LONGEST_NAMESPACE && NAMESPACE.test(text);
}
