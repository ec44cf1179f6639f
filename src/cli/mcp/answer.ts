import { redactText } from '../../logging/redact-fields.ts';
import { isSecretField, REDACTED } from '../../logging/secret-names.ts';

/** Maximum length of a tool result, about 10,000 tokens. */
const MOST_SIGNS = 40_000;
/** The ways to shorten a result that is too long, mildest first. */
const CUTS = [
  { signs: 4000, items: 100 },
  { signs: 1000, items: 40 },
  { signs: 300, items: 15 },
  { signs: 100, items: 5 },
  { signs: 60, items: 2 },
] as const;

/** Returns a result as text of limited length, without secrets. */
export function answerText(value: unknown): string {
  const clean = redacted(value);
  const whole = JSON.stringify(clean) ?? 'null';
  if (whole.length <= MOST_SIGNS) return whole;
  const about = {
    truncated: true,
    hint: 'the result was too long; narrow it with a filter, a smaller limit, or a tool for one item',
  };
  for (const cut of CUTS) {
    const text = JSON.stringify({ ...about, answer: shortened(clean, cut) });
    if (text.length <= MOST_SIGNS) return text;
  }
  return JSON.stringify({ ...about, answer: whole.slice(0, MOST_SIGNS / 4) });
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

function shortened(value: unknown, cut: (typeof CUTS)[number]): unknown {
  const { signs, items } = cut;
  if (typeof value === 'string') {
    return value.length > signs ? `${value.slice(0, signs)}… (${value.length - signs} more characters)` : value;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const kept = value.slice(0, items).map((one) => shortened(one, cut));
    return value.length > items ? [...kept, `… ${value.length - items} more`] : kept;
  }
  const entries = Object.entries(value);
  const kept = entries.slice(0, Math.max(items, 40)).map(([name, one]) => [name, shortened(one, cut)] as const);
  const more = entries.length - kept.length;
  return Object.fromEntries(more > 0 ? [...kept, ['…', `${more} more fields`]] : kept);
}
