import { messageOf } from '../errors.ts';
import { isFields } from '../model/json.ts';
import { linearPattern } from '../pattern/linear-pattern.ts';
import { UnsupportedPattern } from '../pattern/parse-pattern.ts';
import { below, ONE_SCHEMA, SCHEMA_LIST, SCHEMA_MAP } from './generate/schema-walk.ts';

/** A pattern of a JSON Schema that cannot be used. */
export interface PatternProblem {
  /** JSON pointer into the schema. */
  path: string;
  message: string;
  /** Whether the pattern is a valid regular expression but rejected. */
  refused: boolean;
}

/** Maximum size of the programs of all patterns of a schema. Each of them takes time to compile. */
const MOST_STATES = 1_000_000;

/** Returns all patterns in a schema that are not regular expressions or cannot be tested in linear time. */
export function patternProblems(schema: unknown): PatternProblem[] {
  let states = 0;
  return patternsIn(schema, '').flatMap(({ path, pattern }) => {
    try {
      if (states <= MOST_STATES) states += linearPattern(pattern).states ?? 0;
      const tooMany = {
        path,
        refused: true,
        message: 'the patterns of the schema repeat too often; use fewer or shorter repetitions',
      };
      return states > MOST_STATES ? [tooMany] : [];
    } catch (error) {
      const refused = error instanceof UnsupportedPattern;
      const shown = JSON.stringify(pattern.length > 60 ? `${pattern.slice(0, 60)}…` : pattern);
      return [{ path, refused, message: refused ? `${shown} ${error.message}` : messageOf(error) }];
    }
  });
}

interface Found {
  path: string;
  pattern: string;
}

function patternsIn(schema: unknown, path: string): Found[] {
  if (!isFields(schema)) return [];
  const found: Found[] = [];
  for (const [key, value] of Object.entries(schema)) {
    const at = below(path, key);
    if (key === 'pattern' && typeof value === 'string') found.push({ path: at, pattern: value });
    else if (SCHEMA_LIST.has(key) && Array.isArray(value))
      found.push(...value.flatMap((one, index) => patternsIn(one, below(at, index))));
    else if (SCHEMA_MAP.has(key) && isFields(value)) {
      for (const [name, one] of Object.entries(value)) {
        if (key === 'patternProperties') found.push({ path: below(at, name), pattern: name });
        found.push(...patternsIn(one, below(at, name)));
      }
    } else if (ONE_SCHEMA.has(key)) found.push(...patternsIn(value, at));
  }
  return found;
}
