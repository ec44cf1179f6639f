import type { Place } from '../layout.ts';
import { type Drawing, fillOf, isInside, isLoud, type View } from './drawing.ts';

/** Pixels of the smallest and the largest text. */
const LEAST_TEXT = 7;
const MOST_TEXT = 12;
/** The height of the text, as a share of the height of a node, and the width of a character, as a share of its height. */
const TEXT_SHARE = 0.6;
const CHARACTER = 0.56;
const INSET = 3;
/** The size of labels beside nodes that are too small for a name. */
const LABEL = 11;
/** The label of a layer needs at least this space. Layers between two labels have none. */
const LEAST_WIDE = 84;
const FONT = 'ui-sans-serif, system-ui, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif';

/**
 * Writes the names of the steps in their nodes. If the nodes are too small, writes the names of the layers above them,
 * and those of the steps that failed or run beside these.
 */
export function writeNames(canvas: HTMLCanvasElement, drawing: Drawing, view: View): void {
  const brush = canvas.getContext('2d');
  if (!brush) return;
  const ratio = devicePixelRatio;
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  brush.textBaseline = 'middle';
  const look = getComputedStyle(document.documentElement);
  const color = (name: string) => look.getPropertyValue(`--${name}`);
  const [first] = drawing.sizes.values();
  const text = Math.min(MOST_TEXT, (first?.height ?? 0) * view.zoom * TEXT_SHARE);
  if (text >= LEAST_TEXT) writeAll(brush, drawing, { view, color, text });
  else {
    writeLayers(brush, drawing, { view, color });
    writeLoud(brush, drawing, { view, color });
  }
}

interface Pen {
  view: View;
  color(name: string): string;
}

function writeAll(brush: CanvasRenderingContext2D, drawing: Drawing, { view, color, text }: Pen & { text: number }) {
  brush.font = `500 ${text}px ${FONT}`;
  for (const { name, state, presence } of drawing.shape.groups) {
    const place = drawing.places.get(name)!;
    const { width, height } = drawing.sizes.get(name)!;
    if (!isInside(view, place.x, place.y, place.x + width, place.y + height)) continue;
    const fill = presence === 'made' ? fillOf(state ?? 'pending') : 'page';
    const isDim = drawing.found.size > 0 && !drawing.found.has(name);
    brush.globalAlpha = isDim ? 0.3 : 1;
    brush.fillStyle = color(isLoud(fill) ? 'surface' : fill === 'done' ? 'soft' : 'faint');
    const { x, y } = onScreen(place, view);
    const most = Math.floor((width * view.zoom - 2 * INSET) / (text * CHARACTER));
    brush.fillText(shortened(name, most), x + INSET, y + (height * view.zoom) / 2 + 0.5, width * view.zoom - 2 * INSET);
  }
  brush.globalAlpha = 1;
}

/** Writes above each layer what its names have in common, and their number. */
function writeLayers(brush: CanvasRenderingContext2D, { places, isAcross }: Drawing, { view, color }: Pen) {
  if (!isAcross) return;
  const layers = new Map<number, string[]>();
  for (const [name, { x }] of places) {
    const own = layers.get(x);
    if (own) own.push(name);
    else layers.set(x, [name]);
  }
  brush.font = `${LABEL}px ${FONT}`;
  brush.fillStyle = color('faint');
  const ordered = [...layers].toSorted(([one], [other]) => one - other);
  const pitch = ordered.length > 1 ? (ordered[1]![0] - ordered[0]![0]) * view.zoom : view.width;
  const each = Math.max(1, Math.ceil(LEAST_WIDE / pitch));
  const most = Math.max(3, Math.floor((each * pitch - 8) / (LABEL * CHARACTER)));
  for (const [x, names] of ordered.filter((_, at) => at % each === 0)) {
    const top = Math.min(...names.map((name) => places.get(name)!.y));
    const at = onScreen({ x, y: top }, view);
    const count = names.length === 1 ? '' : ` ×${names.length}`;
    const text = names.length === 1 ? names[0]! : commonStart(names);
    const space = most - count.length;
    const shown = text.length > space ? `${text.slice(0, Math.max(1, space - 1))}…` : text;
    brush.fillText(`${shown}${count}`, at.x, Math.max(LABEL, at.y - LABEL));
  }
}

/** Writes the names of the steps that a person looks for, where there is space. */
function writeLoud(brush: CanvasRenderingContext2D, drawing: Drawing, { view, color }: Pen) {
  brush.font = `600 ${LABEL}px ${FONT}`;
  const written: Place[] = [];
  for (const { name, state, presence } of drawing.shape.groups) {
    const fill = presence === 'made' ? fillOf(state ?? 'pending') : 'page';
    if (!isLoud(fill) && !drawing.found.has(name)) continue;
    const place = drawing.places.get(name)!;
    const { width, height } = drawing.sizes.get(name)!;
    const at = onScreen({ x: place.x + width, y: place.y + height / 2 }, view);
    const wide = name.length * LABEL * 0.6;
    if (written.some(({ x, y }) => Math.abs(x - at.x) < wide + 12 && Math.abs(y - at.y) < LABEL + 4)) continue;
    written.push(at);
    brush.lineWidth = 3;
    brush.lineJoin = 'round';
    brush.strokeStyle = color('surface');
    brush.strokeText(name, at.x + INSET, at.y);
    brush.fillStyle = color(isLoud(fill) ? fill : 'accent');
    brush.fillText(name, at.x + INSET, at.y);
  }
}

const onScreen = ({ x, y }: Place, view: View): Place => ({ x: x * view.zoom + view.x, y: y * view.zoom + view.y });

/** Returns a name that is shortened in the middle, because names often differ at their ends. */
function shortened(name: string, most: number): string {
  if (name.length <= most) return name;
  if (most < 4) return name.slice(0, Math.max(0, most));
  const end = Math.floor((most - 1) / 2);
  return `${name.slice(0, most - 1 - end)}…${name.slice(name.length - end)}`;
}

/** Returns the words with which all names begin. Without such words, returns the first name. */
function commonStart([first = '', ...others]: readonly string[]): string {
  let length = first.length;
  for (const name of others) while (!name.startsWith(first.slice(0, length))) length -= 1;
  const words = first.slice(0, length).replace(/[\d_.-]+$/, '');
  return words.length < 3 ? first : words;
}
