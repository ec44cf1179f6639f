import { useReactFlow, useStoreApi } from '@xyflow/react';
import { useEffect, useRef } from 'react';
import type { GraphEdge } from '../../../api/types.ts';
import type { Place } from '../layout.ts';
import { isRoute } from './conditions.tsx';
import { type Drawing, fillOf, isInside, isLoud, type View } from './drawing.ts';
import { writeNames } from './overview-names.ts';
import { edgeKey } from './shape.ts';

/**
 * Draws the edges of a large graph, and its nodes when zoomed out, on one canvas behind the DOM nodes. Thousands of
 * DOM elements would not pan smoothly.
 */
export function Overview({ drawing, withNodes }: { drawing: Drawing; withNodes: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const store = useStoreApi();
  useEffect(() => {
    let frame = 0;
    const draw = () => {
      frame = 0;
      const { transform, width, height } = store.getState();
      const [x, y, zoom] = transform;
      const view = { x, y, zoom, width, height };
      if (!canvas.current) return;
      paint(canvas.current, drawing, { view, withNodes });
      if (withNodes) writeNames(canvas.current, drawing, view);
    };
    const soon = () => {
      frame ||= requestAnimationFrame(draw);
    };
    draw();
    const stop = store.subscribe(soon);
    const theme = new MutationObserver(soon);
    theme.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => {
      stop();
      theme.disconnect();
      cancelAnimationFrame(frame);
    };
  }, [store, drawing, withNodes]);
  return (
    <canvas ref={canvas} data-nodes={drawing.places.size} className="pointer-events-none absolute inset-0 size-full" />
  );
}

/** A small picture of the whole graph, with the part that is shown. A click moves there. */
export function OverviewMap({ drawing }: { drawing: Drawing }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shown = useRef<HTMLSpanElement>(null);
  const store = useStoreApi();
  const { setCenter, getZoom } = useReactFlow();
  const whole = wholeOf(drawing);
  useEffect(() => {
    if (canvas.current) paint(canvas.current, drawing, { view: wholeOf(drawing), withNodes: true });
  }, [drawing]);
  useEffect(() => {
    const move = () => {
      const { transform, width, height } = store.getState();
      const [x, y, zoom] = transform;
      const style = shown.current?.style;
      if (!style) return;
      style.left = `${whole.x - (x / zoom) * whole.zoom}px`;
      style.top = `${whole.y - (y / zoom) * whole.zoom}px`;
      style.width = `${(width / zoom) * whole.zoom}px`;
      style.height = `${(height / zoom) * whole.zoom}px`;
    };
    move();
    return store.subscribe(move);
  }, [store, whole.x, whole.y, whole.zoom]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keyboard moves the graph by its nodes
    // biome-ignore lint/a11y/useKeyWithClickEvents: as above
    <div
      className="absolute right-4 bottom-4 z-10 overflow-hidden rounded-md border border-line bg-page"
      style={MAP}
      onClick={({ clientX, clientY, currentTarget }) => {
        const box = currentTarget.getBoundingClientRect();
        const at = (pixel: number, start: number) => (pixel - start) / whole.zoom;
        void setCenter(at(clientX - box.left, whole.x), at(clientY - box.top, whole.y), { zoom: getZoom() });
      }}
    >
      <canvas ref={canvas} aria-label="Map of the graph" role="img" className="size-full" />
      <span ref={shown} className="pointer-events-none absolute rounded-sm border-2 border-accent" />
    </div>
  );
}

const MAP = { width: 200, height: 140 } as const;

function wholeOf({ places, sizes }: Drawing): View {
  let [right, bottom] = [1, 1];
  for (const [name, { x, y }] of places) {
    right = Math.max(right, x + sizes.get(name)!.width);
    bottom = Math.max(bottom, y + sizes.get(name)!.height);
  }
  const zoom = Math.min((MAP.width - 8) / right, (MAP.height - 8) / bottom);
  return { x: (MAP.width - right * zoom) / 2, y: (MAP.height - bottom * zoom) / 2, zoom, ...MAP };
}

/** Returns the node at a point of the graph. */
export function nodeAt({ places, sizes }: Drawing, { x, y }: Place): string | undefined {
  for (const [name, place] of places) {
    const { width, height } = sizes.get(name)!;
    if (x >= place.x && y >= place.y && x <= place.x + width && y <= place.y + height) return name;
  }
  return undefined;
}

function paint(canvas: HTMLCanvasElement, drawing: Drawing, { view, withNodes }: { view: View; withNodes: boolean }) {
  const ratio = devicePixelRatio;
  const [width, height] = [Math.round(view.width * ratio), Math.round(view.height * ratio)];
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const brush = canvas.getContext('2d');
  if (!brush) return;
  brush.setTransform(1, 0, 0, 1, 0, 0);
  brush.clearRect(0, 0, width, height);
  const scale = view.zoom * ratio;
  brush.setTransform(scale, 0, 0, scale, view.x * ratio, view.y * ratio);
  const look = getComputedStyle(document.documentElement);
  const color = (name: string) => look.getPropertyValue(`--${name}`);
  const hairline = Math.max(1.5, 0.7 / view.zoom);
  const { others, routes, critical } = linesOf(drawing, view);
  brush.lineWidth = hairline;
  brush.strokeStyle = color('edge');
  brush.stroke(others);
  brush.setLineDash([4 * hairline, 3 * hairline]);
  brush.stroke(routes);
  brush.setLineDash([]);
  brush.lineWidth = Math.max(3, 2 / view.zoom);
  brush.strokeStyle = color('path');
  brush.stroke(critical);
  if (!withNodes) return;
  const { found } = drawing;
  for (const { name, state, presence } of drawing.shape.groups) {
    const { x, y } = drawing.places.get(name)!;
    const size = drawing.sizes.get(name)!;
    if (!isInside(view, x, y, x + size.width, y + size.height)) continue;
    const fill = presence === 'made' ? fillOf(state ?? 'pending') : 'page';
    brush.globalAlpha = found.size > 0 && !found.has(name) ? 0.3 : 1;
    brush.fillStyle = color(fill);
    brush.fillRect(x, y, size.width, size.height);
    if (!isLoud(fill)) {
      brush.strokeStyle = color('edge');
      brush.lineWidth = 1 / view.zoom;
      brush.strokeRect(x, y, size.width, size.height);
    }
    if (name === drawing.selected || found.has(name)) {
      brush.strokeStyle = color('accent');
      brush.lineWidth = (name === drawing.selected ? 4 : 2) / view.zoom;
      brush.strokeRect(x, y, size.width, size.height);
    }
  }
  brush.globalAlpha = 1;
}

function linesOf({ shape, places, sizes, critical, isAcross }: Drawing, view: View) {
  const lines = { others: new Path2D(), routes: new Path2D(), critical: new Path2D() };
  const kindOf = (edge: GraphEdge) => {
    if (critical?.has(edgeKey(edge))) return 'critical';
    return isRoute(shape.byName.get(edge.to)!.conditions) ? 'routes' : 'others';
  };
  for (const edge of shape.edges) {
    const [from, to] = [places.get(edge.from)!, places.get(edge.to)!];
    const [start, end] = [sizes.get(edge.from)!, sizes.get(edge.to)!];
    const [x1, y1] = isAcross
      ? [from.x + start.width, from.y + start.height / 2]
      : [from.x + start.width / 2, from.y + start.height];
    const [x2, y2] = isAcross ? [to.x, to.y + end.height / 2] : [to.x + end.width / 2, to.y];
    if (!isInside(view, Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2))) continue;
    const path = lines[kindOf(edge)];
    path.moveTo(x1, y1);
    // When zoomed out, a curve looks like a line, but costs more.
    if (view.zoom < CURVED_FROM) path.lineTo(x2, y2);
    else if (isAcross && x2 < x1) turned(path, { x: x1, y: y1 }, { x: x2, y: y2 });
    else if (isAcross) path.bezierCurveTo((x1 + x2) / 2, y1, (x1 + x2) / 2, y2, x2, y2);
    else path.bezierCurveTo(x1, (y1 + y2) / 2, x2, (y1 + y2) / 2, x2, y2);
  }
  return lines;
}

const CURVED_FROM = 0.3;

/** Draws an edge to the beginning of the next row. */
function turned(path: Path2D, from: Place, to: Place): void {
  const [out, half] = [16, (from.y + to.y) / 2];
  path.lineTo(from.x + out, from.y);
  path.lineTo(from.x + out, half);
  path.lineTo(to.x - out, half);
  path.lineTo(to.x - out, to.y);
  path.lineTo(to.x, to.y);
}
