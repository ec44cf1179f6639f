const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** Returns a type name from words with any separators: `payment.card_charged` becomes `PaymentCardCharged`. */
export function typeNameOf(text: string): string {
  const words = text.split(/[^\p{ID_Continue}]+|_+/u).filter((word) => word !== '');
  const name = words.map(([first = '', ...rest]) => first.toUpperCase() + rest.join('')).join('');
  return IDENTIFIER.test(name) ? name : `_${name}`;
}

/** Returns the name, with a number if it is taken, and marks it as taken. */
export function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number++) name = `${wanted}${number}`;
  taken.add(name);
  return name;
}

/** Returns a key of an object type, quoted if necessary. */
export function keyOf(name: string): string {
  return IDENTIFIER.test(name) ? name : quoted(name);
}

/** Returns a string literal in single quotes. */
export function quoted(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

/** Returns lines as a comment before a declaration, with a trailing line break. Empty if there are no lines. */
export function commentOf(lines: readonly string[]): string {
  const safe = lines
    .flatMap((line) => line.split(/\r\n|[\n\r\u2028\u2029]/))
    .map((line) => line.replaceAll('*/', '*\\/').trimEnd());
  const shown = safe.filter(
    (line, index) => line !== '' || (index > 0 && safe[index - 1] !== '' && index < safe.length - 1),
  );
  if (shown.length === 0) return '';
  if (shown.length === 1) return `/** ${shown[0]} */\n`;
  return `/**\n${shown.map((line) => ` * ${line}`.trimEnd()).join('\n')}\n */\n`;
}
