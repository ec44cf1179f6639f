import type { BasePublisher, PublishContext } from './base-publisher.ts';
import { eventByHand, preparation } from './prepare-event.ts';
import { callAfterPublish, callOnPublishError } from './publisher-hooks.ts';
import { createStepEventContext } from './step-event-context.ts';

/** All hooks of a publisher for one event, in their order, and whether it would be published. */
export function* publishByHand(
  publisher: BasePublisher,
  context: PublishContext,
): Generator<unknown, boolean, unknown> {
  const { eventName, stepResult, eventDeclaration: declaration, stepContext } = context;
  const unknownStep = { taskUuid: '', stepUuid: '', stepName: '' };
  const ctx = createStepEventContext({ ...unknownStep, ...stepContext, ...stepResult, eventName });
  let payload: object = {};
  const request = { publisher, ctx, declaration, onPayload: (made: object) => (payload = made) };
  try {
    const prepared = yield* preparation(request);
    if (!prepared) return false;
    yield callAfterPublish(publisher, ctx, eventByHand(request, prepared));
    return true;
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    yield callOnPublishError(publisher, ctx, { error, payload: payload as Record<string, unknown> });
    return false;
  }
}
