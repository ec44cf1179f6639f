import { readFileSync } from 'node:fs';

const SHIPPING_CENTS = 590;
const here = (name) => new URL(name, import.meta.url);

/** The catalogue of the shop: `{ name, unitCents, stock }` by SKU. */
export function readCatalogue() {
  const rows = readCsv(here('catalogue.csv'));
  return new Map(
    rows.map(({ sku, name, unit_cents, stock }) => [
      sku,
      { name, unitCents: Number(unit_cents), stock: Number(stock) },
    ]),
  );
}

/** The orders of the shop, each in the form of the template's `input_schema`. */
export function readOrders(catalogue) {
  return readCsv(here('orders.csv')).map((row) => ({
    order_id: row.order_id,
    customer: { name: row.name, email: row.email },
    address: { street: row.street, postcode: row.postcode, city: row.city, country: row.country },
    lines: row.items.split(' ').map((item) => {
      const [sku, quantity] = item.split('*');
      return { sku, quantity: Number(quantity), unit_cents: catalogue.get(sku).unitCents };
    }),
    shipping_cents: SHIPPING_CENTS,
    total_cents: Number(row.total_cents),
    card: row.card,
  }));
}

/** Returns the rows of a CSV file without quotes, as objects with the names in its first line. */
function readCsv(url) {
  const [head, ...lines] = readFileSync(url, 'utf8').trimEnd().split('\n');
  const names = head.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    return Object.fromEntries(names.map((name, i) => [name, cells[i]]));
  });
}
