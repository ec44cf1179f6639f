import { uuidV7 } from '../../model/ids.ts';
import { createDomainEvent } from '../subscribing/domain-event.ts';
import type { EventDeclaration } from './event-declaration.ts';
import type { Publisher } from './publisher.ts';
import { callAfterPublish, callOnPublishError, metadataFor, preparation } from './publisher-hooks.ts';
import {
  createStepEventContext,
  type StepEventContext,
  type StepEventContextInit,
  type StepResult,
} from './step-event-context.ts';

type Fields = Record<string, unknown>;

/** The argument of {@link BasePublisher.publish}. */
export interface PublishContext {
  eventName: string;
  stepResult: StepResult;
  eventDeclaration?: EventDeclaration;
  stepContext?: StepEventContext | StepEventContextInit;
}

/** Runs all hooks of a publisher for one event in order. Returns whether it would be published. */
export function* publishByHand(publisher: Publisher, context: PublishContext): Generator<unknown, boolean, unknown> {
  const { eventName, stepResult, eventDeclaration: declaration, stepContext } = context;
  const unknownStep = { taskUuid: '', stepUuid: '', stepName: '' };
  const result = stepResult.result ?? stepContext?.result ?? {};
  const ctx = createStepEventContext({ ...unknownStep, ...stepContext, ...stepResult, result, eventName });
  let payload: Fields = {};
  const check = (made: object) => {
    payload = made as Fields;
  };
  const request = { publisher, ctx, declaration, check };
  try {
    const prepared = yield* preparation(request);
    if (!prepared) return false;
    const { success, result, metadata } = ctx;
    const event = createDomainEvent({
      eventId: uuidV7(),
      eventName,
      payload,
      metadata: metadataFor(request, prepared.metadata),
      executionResult: { success, result, metadata },
    });
    yield callAfterPublish(request, event);
    return true;
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    yield callOnPublishError(request, { error, payload });
    return false;
  }
}
