import { lookOf } from '../../../parts/state.tsx';
import type { Place, Size } from '../layout.ts';
import type { Shape } from './shape.ts';

/** The parts of the picture of a large graph. */
export interface Drawing {
  shape: Shape;
  places: ReadonlyMap<string, Place>;
  sizes: ReadonlyMap<string, Size>;
  critical: ReadonlySet<string> | undefined;
  selected: string | undefined;
  /** Names of the steps that the search found. */
  found: ReadonlySet<string>;
  isAcross: boolean;
}

/** The part of the graph that is shown: its offset and its size, in pixels. */
export interface View {
  x: number;
  y: number;
  zoom: number;
  width: number;
  height: number;
}

/**
 * Returns the name of the color of a step. Complete steps are neutral, so that failed and running ones stand out. A step
 * that has not started is hollow.
 */
export function fillOf(state: string): string {
  const { hue } = lookOf(state);
  if (hue === 'green') return 'done';
  return hue === 'grey' ? 'surface' : `s-${hue}`;
}

/** Returns whether a color is that of a state that a person looks for. */
export const isLoud = (fill: string) => fill.startsWith('s-');

/** Returns whether a box of the graph is in view. */
export function isInside(
  { x, y, zoom, width, height }: View,
  left: number,
  top: number,
  right: number,
  bottom: number,
): boolean {
  return right * zoom + x > 0 && bottom * zoom + y > 0 && left * zoom + x < width && top * zoom + y < height;
}
