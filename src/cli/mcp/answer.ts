import { redactText } from '../../logging/redact-fields.ts';
import { isSecretField, REDACTED } from '../../logging/secret-names.ts';

/** Maximum length of a result, about 10,000 tokens. */
const MOST_CHARACTERS = 40_000;
/** Maximum length of a part of a preview: enough to recognize what would change. */
export const PREVIEW_CHARACTERS = 5000;
/** The ways to shorten a result that is too long, mildest first. */
const CUTS = [
  { characters: 4000, items: 100 },
  { characters: 1000, items: 40 },
  { characters: 300, items: 15 },
  { characters: 100, items: 5 },
  { characters: 60, items: 2 },
] as const;
/** The least number of fields of an object that are kept. */
const LEAST_FIELDS = 40;
/** Maximum number of places in the list of what was left out. */
const MOST_PLACES = 5;

/** How a result is limited. */
interface Limit {
  /** Maximum length. Default: that of a whole result. */
  most?: number;
  /** How to get the rest. `share`: the part of the result that fits, between 0 and 1. */
  rest?: ((share: number) => string) | undefined;
}

/** Returns a result as text of limited length, without secrets. */
export function answerText(value: unknown, limit: Limit = {}): string {
  return JSON.stringify(bounded(value, limit)) ?? 'null';
}

/** Returns a result of limited length, without secrets. What is too long is replaced, and the result describes how. */
export function bounded(value: unknown, { most = MOST_CHARACTERS, rest }: Limit = {}): unknown {
  const clean = redacted(value);
  const whole = JSON.stringify(clean) ?? 'null';
  if (whole.length <= most) return clean;
  const hint = `the result was too long; ${rest?.(most / whole.length) ?? 'narrow it with a filter or a smaller limit'}`;
  for (const cut of CUTS) {
    const found = new Set<string>();
    const answer = shortened(clean, { ...cut, left: (place) => void found.add(place) }, '');
    const places = [...found];
    const more = places.length - MOST_PLACES;
    const left_out = more > 0 ? [...places.slice(0, MOST_PLACES), `… and ${more} more places`] : places;
    const made = { truncated: true, left_out, hint, answer };
    if (JSON.stringify(made).length <= most) return made;
  }
  return { truncated: true, left_out: ['all but the beginning'], hint, answer: whole.slice(0, most / 4) };
}

/** Replaces the values of secret fields, and passwords in URLs. */
function redacted(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) return value.map(redacted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => {
      const secret = isSecretField(name) && one !== null && typeof one !== 'boolean';
      return [name, secret ? REDACTED : redacted(one)];
    }),
  );
}

interface Cut {
  /** Maximum length of a string. */
  characters: number;
  /** Maximum length of a list. */
  items: number;
  /** Called with each place where something was left out, and how much. */
  left(place: string): void;
}

/** Returns whether a path stands for a value in each item of a list. */
const isInList = (at: string) => at.includes('[]');

function shortened(value: unknown, cut: Cut, at: string): unknown {
  const { characters, items, left } = cut;
  const place = at === '' ? 'the result' : at;
  if (typeof value === 'string') {
    if (value.length <= characters) return value;
    left(
      isInList(at)
        ? `${place}: texts after ${characters} characters`
        : `${place}: ${characters} of ${value.length} characters`,
    );
    return `${value.slice(0, characters)}… (${value.length - characters} more characters)`;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    if (value.length > items)
      left(isInList(at) ? `${place}: items after ${items}` : `${place}: ${items} of ${value.length} items`);
    const kept = value.slice(0, items).map((one) => shortened(one, cut, `${at}[]`));
    return value.length > items ? [...kept, `… ${value.length - items} more`] : kept;
  }
  const entries = Object.entries(value);
  const most = Math.max(items, LEAST_FIELDS);
  if (entries.length > most)
    left(isInList(at) ? `${place}: fields after ${most}` : `${place}: ${most} of ${entries.length} fields`);
  const kept = entries
    .slice(0, most)
    .map(([name, one]) => [name, shortened(one, cut, at === '' ? name : `${at}.${name}`)] as const);
  const more = entries.length - kept.length;
  return Object.fromEntries(more > 0 ? [...kept, ['…', `${more} more fields`]] : kept);
}
