import type { Act } from '../../client/index.ts';

/** Returns the operator of an action as the fields of its body. */
export function actOf({ actor, reason }: { actor?: string | undefined; reason?: string | undefined } = {}): Act {
  return { ...(actor !== undefined && { by: actor }), ...(reason !== undefined && { reason }) };
}

/** Returns the cursor of a list whose cursors are positions. */
export function positionCursor(position: number): string {
  return Buffer.from(`at:${position}`).toString('base64url');
}

/** Returns milliseconds as a duration that the API accepts. */
export function spanText(ms: number): string {
  return `${ms / 1000}s`;
}
