import { ApiHandler, type StepContext, type StepHandlerResult } from 'tasker-core';
import { z } from 'zod';

const Refusal = z.object({ code: z.string(), message: z.string() });

/**
 * Asks the card's bank for the amount; a handler as a class. `apiSuccess` would do for all that may come back: the
 * refusal of a bank is told apart here because it has a type of its own in the shop.
 */
export class Authorise extends ApiHandler {
  static override readonly handlerName = 'payments.authorise';
  static override readonly defaultTimeout: number = 2_000;

  /** A getter, since the address is known only when the program runs. */
  override get baseUrl(): string {
    return process.env.PAYMENTS_URL ?? '';
  }

  override async call(context: StepContext): Promise<StepHandlerResult> {
    const { order_id, card, amount_cents } = context.inputData;
    const response = await this.post('/authorisations', {
      json: { order_id, card, amount_cents },
      // The same in each attempt: one that got no answer may have been served all the same.
      idempotencyKey: true,
    });
    const refusal = response.statusCode === 402 ? Refusal.parse(response.body) : null;
    if (refusal) return this.apiFailure(response, { message: refusal.message, errorType: 'card_refused' });
    return this.apiSuccess(response);
  }
}
