import type { AnyInputs, DependencySources, HandlerFn, None } from './handler-arguments.ts';
import { type HandlerOptions, handlerOfFunction } from './handler-of-function.ts';
import type { TypedHandlerClass } from './step-handler.ts';

/**
 * Defines a handler as a function. The function receives its inputs, the results it depends on, `context`, `signal` and
 * `logger`. Its return value is the step's result: an object is stored as is, any other value as `{ result: value }`.
 * If it throws, the step fails.
 *
 * If a value does not match its schema, the step fails permanently with a `validation_error` that names the path.
 * Arguments without a schema are `unknown`. A missing input is `undefined`, a missing dependency is `null`.
 *
 * Throws `handler_invalid` if the name or the options are invalid.
 *
 * @example
 * const charge = defineHandler(
 *   'charge',
 *   { inputs: { cardId: 'card_id' }, depends: { cart: ['price_cart', z.object({ total: z.number() })] } },
 *   async ({ cardId, cart, signal }) => pay(String(cardId), cart.total, { signal }),
 * );
 */
export function defineHandler<
  const Inputs extends AnyInputs = None,
  const Depends extends DependencySources = None,
  Result = unknown,
>(
  name: string,
  options: HandlerOptions<Inputs, Depends>,
  fn: HandlerFn<Inputs, Depends, Result>,
): TypedHandlerClass<Awaited<Result>> {
  return handlerOfFunction({ name, options, fn });
}
