import { defineHandler, PermanentError } from 'tasker-core';

const PRODUCTS = new Set(['cup', 'pot', 'tray']);

export const reserve = defineHandler('lines.reserve', { inputs: { lines: 'lines' } }, ({ lines }) => ({
  reserved: lines.length,
}));

/** `sku` and `number` come from the element: see `inputs` in the template. */
export const label = defineHandler('lines.label', { inputs: { sku: 'sku', number: 'number' } }, ({ sku, number }) => {
  if (!PRODUCTS.has(sku)) throw new PermanentError(`no label for ${sku}`, { errorType: 'unknown_product' });
  return { code: `${number + 1}-${sku}` };
});

/** `label` is the result of the step before it, of the same line. */
export const pack = defineHandler('lines.pack', { inputs: { count: 'count', label: 'label' } }, ({ count, label }) => ({
  parcel: `${label} x${count}`,
}));

export const ship = defineHandler('lines.ship', { inputs: { order: 'order', parcels: 'parcels' } }, (given) => ({
  shipment: `${given.order}: ${given.parcels.join(', ')}`,
}));
