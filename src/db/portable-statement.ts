import type { Statement } from './statement.ts';

// A statement that runs through the client of a caller meets the parsers, the type inference and the name mappers of
// another driver. In its portable form all parameters are text, and each row is one text column with JSON. Drivers
// disagree about everything else: uuid arrays, jsonb parameters, dates, names in camel case, columns of type void.

/** Returns the text of a statement in its portable form. @throws Error for a statement that has no such form */
export function portableText({ name }: Statement, text: string): string {
  const typed = text.replace(/(\$\d+)(?!\d)(::)?/g, (_, parameter: string, cast: string | undefined) => {
    if (cast === undefined)
      throw new Error(`statement ${name}: ${parameter} has no cast, so its type depends on the driver`);
    return `${parameter}::text::`;
  });
  const at = mainStatement(typed);
  const main = typed.slice(at).trim();
  const before = typed.slice(0, at).trim();
  if (!main.startsWith('select')) {
    if (/\breturning\b/.test(main)) throw new Error(`statement ${name}: move its RETURNING into a CTE`);
    return typed;
  }
  return `${before === '' ? 'with' : `${before},`} answer as materialized (\n${main})
select row_to_json(answer)::text answer from answer`;
}

/** Returns the position of the first SELECT, INSERT, UPDATE or DELETE that is not in parentheses. */
function mainStatement(text: string): number {
  const tokens = /'(?:[^']|'')*'|"[^"]*"|--[^\n]*|\/\*[\s\S]*?\*\/|[()]|\b(?:select|insert|update|delete)\b/g;
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(tokens)) {
    if (token === '(') depth++;
    else if (token === ')') depth--;
    else if (depth === 0 && /^[sidu]/.test(token)) return index;
  }
  throw new Error('a statement without SELECT, INSERT, UPDATE and DELETE has no portable form');
}

/** Returns a parameter as text. Lists become array literals. */
export function portableValue(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (!Array.isArray(value)) return String(value);
  const elements = value.map((element: unknown) =>
    element === null || element === undefined ? 'null' : `"${String(element).replace(/["\\]/g, '\\$&')}"`,
  );
  return `{${elements.join(',')}}`;
}

/** Reads a row of a portable statement: an object or a list with one column. */
export function portableRow<Row>(row: unknown): Row {
  const [answer] = Object.values(row as object) as unknown[];
  return (typeof answer === 'string' ? JSON.parse(answer) : answer) as Row;
}
