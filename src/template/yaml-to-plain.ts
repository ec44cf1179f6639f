import { createRequire } from 'node:module';
import type { Alias, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { nearNames } from '../model/near-names.ts';

let yaml: typeof import('yaml');

/** Loads the parser when the first file is read. Most commands read none, and loading it would delay their start. */
export function loadYaml(): typeof yaml {
  yaml ??= createRequire(import.meta.url)('yaml') as typeof yaml;
  return yaml;
}

/** A problem with the text rather than with the template. */
export interface TextProblem {
  severity: 'error' | 'warning';
  code: string;
  message: string;
  /** Offset in the text, starting at 0. */
  offset: number;
}

/** The place of a value in the file, as offsets. */
export interface Place {
  key: number;
  value: number;
  /** A scalar as written in the file, without quotes. */
  source?: string;
}

/** The places of a map's values by key, or of a list's items by index. */
export type Places = Map<string | number, Place>;

/** Creates an error for the text. Without an offset, the error concerns the whole file. */
export function textError(code: string, message: string, offset = 0): TextProblem {
  return { severity: 'error', code, message, offset };
}

/** Maximum number of values in a file, with aliases expanded. */
const MOST_VALUES = 1_000_000;

/** Maximum nesting depth of lists and maps. */
const DEEPEST = 100;

/** The replacement for a value without a JSON form. The problem is reported separately. */
const NOTHING = null;

interface Converted {
  data: unknown;
  /** Number of values, with aliases expanded. */
  size: number;
  /** Nesting depth of lists and maps. */
  height: number;
}

/**
 * Converts a YAML tree to JSON data, with aliases and merge keys (`<<`) resolved and the place of every value. The
 * value of an alias is shared, but counted each time: a file of a few lines that would expand to millions of values is
 * rejected.
 */
export function yamlToPlain(root: unknown): {
  data: unknown;
  places: WeakMap<object, Places>;
  problems: TextProblem[];
} {
  loadYaml();
  const conversion = new Conversion();
  const { data, size, height } = conversion.convert(root);
  const { places, problems } = conversion;
  const tooLarge = `the file holds ${size} values with aliases expanded, but the maximum is ${MOST_VALUES}`;
  const tooDeep = `lists and maps are nested more than ${DEEPEST} levels deep; reduce the nesting`;
  if (size > MOST_VALUES) problems.push(textError('too_many_values', tooLarge));
  else if (height > DEEPEST) problems.push(textError('too_deep', tooDeep));
  else return { data, places, problems };
  return { data: undefined, places, problems };
}

class Conversion {
  readonly places = new WeakMap<object, Places>();
  readonly problems: TextProblem[] = [];
  readonly #anchors = new Map<string, Converted | 'open'>();
  #depth = 0;

  convert(node: unknown): Converted {
    if (yaml.isAlias(node)) return this.#alias(node);
    const anchor = yaml.isMap(node) || yaml.isSeq(node) || yaml.isScalar(node) ? node.anchor : undefined;
    if (anchor) this.#anchors.set(anchor, 'open');
    this.#depth++;
    // Values deeper than allowed are not followed, so that they cannot exhaust the stack. The root reports the depth.
    const converted = this.#depth > DEEPEST + 1 ? { data: NOTHING, size: 1, height: 0 } : this.#value(node);
    this.#depth--;
    if (anchor) this.#anchors.set(anchor, converted);
    return converted;
  }

  #value(node: unknown): Converted {
    if (yaml.isMap(node)) return this.#map(node);
    if (yaml.isSeq(node)) return this.#list(node);
    return { data: yaml.isScalar(node) ? this.#scalar(node) : NOTHING, size: 1, height: 0 };
  }

  #alias(node: Alias): Converted {
    const known = this.#anchors.get(node.source);
    if (known !== undefined && known !== 'open') return known;
    const [near] = nearNames(node.source, this.#anchors.keys(), 1);
    const unknown = `no anchor \`&${node.source}\` is defined before this alias${near ? `; did you mean \`*${near}\`?` : ''}`;
    this.#error(
      'yaml_alias',
      known === 'open' ? `\`*${node.source}\` is inside the value that it refers to` : unknown,
      offsetOf(node),
    );
    return { data: NOTHING, size: 1, height: 0 };
  }

  #list(node: YAMLSeq): Converted {
    const list: unknown[] = [];
    const places: Places = new Map();
    let [size, height] = [1, 0];
    for (const item of node.items) {
      const converted = this.convert(item);
      places.set(list.length, placeOf(item, offsetOf(item, offsetOf(node))));
      list.push(converted.data);
      size += converted.size;
      height = Math.max(height, converted.height);
    }
    this.places.set(list, places);
    return { data: list, size, height: height + 1 };
  }

  #map(node: YAMLMap): Converted {
    const entries = new Map<string, unknown>();
    const places: Places = new Map();
    const merges: Converted[] = [];
    let [size, height] = [1, 0];
    for (const pair of node.items) {
      const converted = this.convert(pair.value);
      size += converted.size;
      height = Math.max(height, converted.height);
      const key = this.#keyOf(pair);
      if (key === null) continue;
      if (key === '<<' && yaml.isScalar(pair.key) && pair.key.type === 'PLAIN') merges.push(converted);
      else if (places.has(key))
        this.#error('duplicate_key', `\`${key}\` is in the map twice; remove one`, offsetOf(pair.key));
      else {
        entries.set(key, converted.data);
        places.set(key, placeOf(pair.value, offsetOf(pair.key)));
      }
    }
    for (const merge of merges) this.#merge(merge.data, { entries, places }, offsetOf(node));
    const data = Object.fromEntries(entries);
    this.places.set(data, places);
    return { data, size, height: height + 1 };
  }

  /** Merges maps. A map's own keys override merged keys, and earlier sources override later sources. */
  #merge(source: unknown, into: { entries: Map<string, unknown>; places: Places }, offset: number): void {
    for (const map of Array.isArray(source) ? source : [source]) {
      if (typeof map !== 'object' || map === null || Array.isArray(map)) {
        this.#error('yaml_merge', '`<<` must be a map or a list of maps', offset);
        continue;
      }
      const places = this.places.get(map);
      for (const [key, value] of Object.entries(map)) {
        if (into.places.has(key)) continue;
        into.entries.set(key, value);
        into.places.set(key, places?.get(key) ?? { key: offset, value: offset });
      }
    }
  }

  #keyOf({ key }: Pair): string | null {
    if (yaml.isScalar(key)) {
      const text = typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
      this.#checkText(text, offsetOf(key));
      if (text !== '__proto__') return text;
      this.#error('yaml_key', '`__proto__` cannot be a key; use another name', offsetOf(key));
      return null;
    }
    this.#error('yaml_key', 'a key must be a scalar; lists, maps and aliases cannot be keys', offsetOf(key));
    return null;
  }

  #scalar(node: Scalar): unknown {
    const { value, source } = node;
    const offset = offsetOf(node);
    if (typeof value === 'string') this.#checkText(value, offset);
    if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
    if (typeof value === 'number' && Number.isFinite(value)) {
      if (Number.isInteger(value) && !Number.isSafeInteger(value) && /^[-+]?\d+$/.test(source ?? '')) {
        const message = `${source} is stored as ${value}, because it is too long for a number; put it in quotes`;
        this.problems.push({ severity: 'warning', code: 'number_rounded', message, offset });
      }
      return value;
    }
    this.#error('not_json', `\`${source ?? node.tag ?? String(value)}\` is not a JSON value; put it in quotes`, offset);
    return NOTHING;
  }

  /** Checks for NUL characters and lone surrogates, which PostgreSQL cannot store. */
  #checkText(text: string, offset: number): void {
    if (/\0|\p{Surrogate}/u.test(text)) {
      this.#error('not_json', 'the text contains a NUL or a lone surrogate, which cannot be stored; remove it', offset);
    }
  }

  #error(code: string, message: string, offset: number): void {
    this.problems.push(textError(code, message, offset));
  }
}

function offsetOf(node: unknown, otherwise = 0): number {
  if (yaml.isScalar(node) || yaml.isMap(node) || yaml.isSeq(node) || yaml.isAlias(node))
    return node.range?.[0] ?? otherwise;
  return yaml.isPair(node) ? offsetOf(node.key, otherwise) : otherwise;
}

function placeOf(value: unknown, key: number): Place {
  const place: Place = { key, value: offsetOf(value, key) };
  if (yaml.isScalar(value) && value.source !== undefined) place.source = value.source;
  return place;
}
