import { ErrorType } from '../handlers/failures/handler-errors.ts';
import { storableText } from '../handlers/failures/thrown.ts';
import { StepHandlerResult } from '../handlers/step-handler.ts';
import { storableJson } from '../model/storable-json.ts';

/** Characters of the message about a result that can't be stored. */
const MAX_UNSTORABLE = 500;

/** What a result is checked against. */
export interface ResultCheck {
  /** The step's name, for messages. */
  step: string;
  /** Says where a result does not fit the template's `result_schema`. */
  violations?: ((result: unknown) => readonly { path: string; message: string }[]) | undefined;
}

/** A result that can be stored, and the text that is stored of it. */
export interface CheckedResult {
  result: StepHandlerResult;
  json: string;
}

/** What a handler's result comes to: stored as given, or a failure for good that names the place which can't be stored. */
export function checkedResult(result: StepHandlerResult, { step, violations }: ResultCheck): CheckedResult {
  if (!result.success) return { result, json: 'null' };
  const stored = storableJson(result.result ?? {});
  if (!stored.ok) {
    const message = `step ${step}: the result can't be stored: ${stored.path}: ${stored.reason}`;
    // The path holds the handler's own keys, which may be of any length.
    return refused(storableText(message, MAX_UNSTORABLE), ErrorType.PERMANENT_ERROR);
  }
  // What is stored is checked, not what stands for it: a date is a text by then.
  const found = violations?.(JSON.parse(stored.json)) ?? [];
  if (found.length > 0) {
    const places = found.map((violation) => `${violation.path || '/'} ${violation.message}`).join('; ');
    const message = `step ${step}: the result does not fit the template's result_schema: ${places}`;
    return refused(message, ErrorType.VALIDATION_ERROR);
  }
  return { result, json: stored.json };
}

function refused(message: string, errorType: string): CheckedResult {
  return { result: StepHandlerResult.failure({ message, errorType, retryable: false }), json: 'null' };
}
