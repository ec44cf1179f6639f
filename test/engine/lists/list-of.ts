import { template } from '../../support/setup.ts';

/** A template whose list has these steps for each element. */
export const listOf = (
  steps: readonly object[],
  more: Record<string, unknown> = {},
  also: Record<string, object> = {},
) =>
  template({
    start: [],
    each: {
      type: 'for_each',
      handler: undefined,
      dependencies: ['start'],
      elements: 'context.lines',
      key: 'element.sku',
      steps,
      ...more,
    },
    ship: ['each'],
    ...also,
  });

/** Elements with different labels. */
export const lines = (count: number) => Array.from({ length: count }, (_, i) => ({ sku: `S${i}` }));
