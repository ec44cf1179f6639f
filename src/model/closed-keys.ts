import { type Fields, isFields } from './json.ts';

/** The keys that a JSON Schema with `additionalProperties: false` allows. Plain data, because threads receive it. */
export interface ClosedKeys {
  readonly names: readonly string[];
  /** Regular expressions. */
  readonly patterns: readonly string[];
  /** The key of the template that allows them. */
  readonly by: 'input_schema' | 'inputs';
}

/** Returns the keys that a schema allows. Undefined if it allows any key. */
export function closedKeysOf(schema: Fields | null): ClosedKeys | undefined {
  if (schema?.additionalProperties !== false) return undefined;
  const { properties, patternProperties } = schema;
  return {
    names: isFields(properties) ? Object.keys(properties) : [],
    patterns: isFields(patternProperties) ? Object.keys(patternProperties) : [],
    by: 'input_schema',
  };
}

/** Returns whether a schema with these keys allows the key. */
export function allowsKey({ names, patterns }: ClosedKeys, key: string): boolean {
  return names.includes(key) || patterns.some((pattern) => new RegExp(pattern, 'u').test(key));
}
