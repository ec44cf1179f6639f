import { defineHandler } from 'tasker-core';
import { z } from 'zod';

const listOf = <Item extends z.ZodType>(item: Item) => z.object({ items: z.array(item) });

/** Returns the total of each product, by name, and whether it reaches its goal. */
export const aggregate = defineHandler(
  'pipeline.aggregate',
  {
    depends: {
      sold: ['transform_data', listOf(z.object({ id: z.string(), value: z.number() }))],
      products: ['fetch_products', listOf(z.object({ id: z.string(), name: z.string() }))],
      goals: ['fetch_goals', listOf(z.object({ id: z.string(), goal: z.coerce.number() }))],
    },
  },
  ({ sold, products, goals }) => ({
    report: products.items.map(({ id, name }) => {
      const total = sold.items.filter((sale) => sale.id === id).reduce((sum, { value }) => sum + value, 0);
      const { goal = 0 } = goals.items.find((one) => one.id === id) ?? {};
      return { name, total, reached: total >= goal };
    }),
  }),
);
