import type { Pause } from '../../app/operator-types.ts';
import { oneLine } from '../../logging/terminal/shown-text.ts';
import { spanOf } from '../show/text.ts';

/** Describes who paused something, when and why: `by ann, 5 min ago: the carrier is down`. */
export function circumstances({ pausedBy, pausedAt, reason }: Pause, now: number): string {
  const since = `by ${pausedBy}, ${spanOf(now - Date.parse(pausedAt))} ago`;
  return reason === null ? since : `${since}: ${reason}`;
}

/** Describes a pause: `template shop/fulfil, by ann, 5 min ago: the carrier is down`. */
export function describePause(pause: Pause, now: number): string {
  return oneLine(`${pause.scope} ${pause.target}, ${circumstances(pause, now)}`);
}
