import { type StepContext, StepHandler, type StepHandlerResult } from 'tasker-core';

interface RawItem {
  id: string;
  raw_value: number | string;
}

/** Doubles each value. Returns an empty result without fetched data. */
export class TransformDataHandler extends StepHandler {
  static override readonly handlerName = 'transform_data';

  override call(context: StepContext): StepHandlerResult {
    const fetched = context.getDependencyResult<{ items?: RawItem[] }>('fetch_data');
    const items = (fetched?.items ?? []).map(({ id, raw_value }) => ({ id, value: Number(raw_value) * 2 }));
    return this.success({ items, count: items.length });
  }
}
