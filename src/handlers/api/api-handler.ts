import { StepHandler } from '../step-handler.ts';
import { withMixins } from '../with-mixins.ts';
import { APIMixin } from './api-mixin.ts';

/**
 * The base of handlers that call an HTTP service: a `StepHandler` with the methods of {@link APIMixin}.
 *
 * An answer of any status is given, not thrown; `apiSuccess` makes a success of it, or the failure that its status
 * means. A connection that fails and a request that takes too long are thrown, and retried. Each request ends with the
 * step: at its timeout, when its task is cancelled, when the worker stops.
 *
 * @example
 * class FetchUser extends ApiHandler {
 *   static override handlerName = 'fetch_user';
 *   static override baseUrl = 'https://api.example.com';
 *
 *   async call(context: StepContext) {
 *     const response = await this.get(`/users/${context.inputData.user_id}`);
 *     return this.apiSuccess(response); // 404: fails for good; 503: tried again
 *   }
 * }
 */
export abstract class ApiHandler extends withMixins(StepHandler, APIMixin) {}
