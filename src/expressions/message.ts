import { LONGEST_EXPRESSION } from './cel.ts';
import { ExpressionError } from './expression-error.ts';

/** A part of a message: text, or an expression with the place where it begins. */
export type MessagePart = string | { expression: string; offset: number };

/**
 * Splits a message into its text and its expressions, which are written as `{{ expression }}`.
 * @throws ExpressionError if an expression does not end
 */
export function messageParts(message: string): MessagePart[] {
  const parts: MessagePart[] = [];
  let at = 0;
  for (;;) {
    const open = message.indexOf('{{', at);
    if (open === -1) break;
    const close = message.indexOf('}}', open);
    if (close === -1) throw new ExpressionError('`{{` has no `}}` after it; end the expression with `}}`', open);
    if (open > at) parts.push(message.slice(at, open));
    const expression = message.slice(open + 2, close);
    if (expression.length > LONGEST_EXPRESSION) {
      throw new ExpressionError(`an expression is longer than ${LONGEST_EXPRESSION} characters`, open);
    }
    parts.push({ expression, offset: open + 2 });
    at = close + 2;
  }
  if (at < message.length) parts.push(message.slice(at));
  return parts;
}
