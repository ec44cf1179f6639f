import { isFields } from '../model/json.ts';
import { ExpressionFailed } from './expression-error.ts';

/** Returns the value of an expression as JSON: whole numbers as numbers, times as text in ISO 8601. */
export function jsonOf(value: unknown): unknown {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    throw new ExpressionFailed(`its value is not a finite number; test for a division by zero`);
  }
  if (typeof value === 'bigint') {
    if (Number.isSafeInteger(Number(value))) return Number(value);
    throw new ExpressionFailed(`its value is a whole number that is too large for JSON; return string(…)`);
  }
  if (Array.isArray(value)) return value.map(jsonOf);
  if (value instanceof Date) return value.toISOString();
  if (isFields(value) && (value.constructor === Object || value.constructor === undefined)) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, jsonOf(inner)]));
  }
  throw new ExpressionFailed('its value has no form in JSON; convert it with string(…) or int(…)');
}
