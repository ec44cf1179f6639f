import type { AnyInputs, DependencySources, HandlerFn, None } from './handler-arguments.ts';
import { type HandlerOptions, handlerOfFunction } from './handler-of-function.ts';
import type { StepHandlerClass } from './step-handler.ts';

/**
 * A handler from a function. It is called with its inputs, the results it depends on, `context`, `signal` and `logger`;
 * what it returns is the step's result (an object as it is, anything else as `{ result: it }`), what it throws the
 * failure. A value that its schema refuses fails the step for good, with a `validation_error` that names the path.
 * Without a schema an argument is `unknown`; an absent input is undefined, an absent dependency null.
 *
 * Throws `handler_invalid` when name or options make no sense.
 *
 * @example
 * const charge = defineHandler(
 *   'charge',
 *   { inputs: { cardId: 'card_id' }, depends: { cart: ['price_cart', z.object({ total: z.number() })] } },
 *   async ({ cardId, cart, signal }) => pay(String(cardId), cart.total, { signal }),
 * );
 */
export function defineHandler<const Inputs extends AnyInputs = None, const Depends extends DependencySources = None>(
  name: string,
  options: HandlerOptions<Inputs, Depends>,
  fn: HandlerFn<Inputs, Depends>,
): StepHandlerClass {
  return handlerOfFunction({ name, options, fn });
}
