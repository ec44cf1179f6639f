/** A comment, a string, a name, an operator that may precede a value, or another character. */
const TOKEN =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|[\p{ID_Start}$_][\p{ID_Continue}$]*|\?\?|\|\||\S/gu;
const CALL = ['Decision', '.', 'route', '(', '['];
const BEFORE_VALUE = new Set(['[', ',', '?', ':', '??', '||']);
const AFTER_VALUE = new Set([',', ':', ']']);

/**
 * Returns the names of steps that the source of a function passes to `Decision.route([…])` as string literals. Names
 * that the function computes, and calls in other functions, are not found.
 */
export function routedSteps(fn: (args: never) => unknown): string[] {
  const tokens = (String(fn).match(TOKEN) ?? []).filter((token) => !/^\/[/*]/.test(token));
  const found = new Set<string>();
  for (let at = tokens.indexOf('Decision'); at >= 0; at = tokens.indexOf('Decision', at + 1)) {
    if (CALL.every((token, index) => tokens[at + index] === token)) {
      for (const name of textsOfList(tokens, at + CALL.length)) found.add(name);
    }
  }
  return [...found];
}

/** Returns the strings that may be elements of the list whose first token is at this index. */
function textsOfList(tokens: readonly string[], start: number): string[] {
  const found: string[] = [];
  let depth = 1;
  for (let at = start; at < tokens.length && depth > 0; at++) {
    const token = tokens[at]!;
    if ('[({'.includes(token)) depth++;
    else if ('])}'.includes(token)) depth--;
    else if (depth === 1 && BEFORE_VALUE.has(tokens[at - 1]!) && AFTER_VALUE.has(tokens[at + 1] ?? '')) {
      const [, text] = /^['"`]([^\\]*)['"`]$/.exec(token) ?? [];
      if (text !== undefined && !text.includes('${')) found.push(text);
    }
  }
  return found;
}
