import { ApiHandler, type StepContext, type StepHandlerResult } from 'tasker-core';
import { z } from 'zod';

const Refusal = z.object({ code: z.string(), message: z.string() });

/**
 * Authorises the amount with the card's bank. This handler is a class. `apiSuccess` could handle every response, but
 * the shop has its own error type for a rejection by the bank.
 */
export class Authorise extends ApiHandler {
  static override readonly handlerName = 'payments.authorise';
  static override readonly defaultTimeout: number = 2_000;

  /** Reads the address at run time, when it is known. */
  override get baseUrl(): string {
    return process.env.PAYMENTS_URL ?? '';
  }

  override async call(context: StepContext): Promise<StepHandlerResult> {
    const { order_id, card, amount_cents } = context.inputData;
    const response = await this.post('/authorisations', {
      json: { order_id, card, amount_cents },
      // The key is the same in each attempt, because the service may have processed a request without a response.
      idempotencyKey: true,
    });
    const refusal = response.statusCode === 402 ? Refusal.parse(response.body) : null;
    if (refusal) return this.apiFailure(response, { message: refusal.message, errorType: 'card_refused' });
    return this.apiSuccess(response);
  }
}
