import type { Engine } from '../../engine/engine.ts';
import { grouped } from '../../model/grouped.ts';
import { templateHandlers } from '../../store/overview/workers.ts';
import { listWorkers } from '../../store/workers.ts';
import { AnnouncedByNamespace } from './announced.ts';

/** A handler that registered templates name. */
export interface HandlerInfo {
  namespace: string;
  /** The callable. */
  handler: string;
  /** The resolver that the templates name. Null means any. */
  resolver: string | null;
  /** The steps that use the handler, in the last registered version of each template. */
  steps: { template: string; version: string; step: string }[];
  /** Names of the live workers that have the handler and serve the namespace. */
  workers: string[];
}

/** Returns the handlers that templates name, by namespace and name, with the live workers that have each. */
export async function listHandlers(engine: Engine): Promise<HandlerInfo[]> {
  const [rows, workers] = await Promise.all([templateHandlers(engine.database), listWorkers(engine.database)]);
  const living = workers.filter(({ living }) => living);
  const announced = living.map((worker) => ({ name: worker.name, by: new AnnouncedByNamespace([worker]) }));
  const handlers = grouped(rows, ({ namespace, callable, resolver }) =>
    JSON.stringify([namespace, callable, resolver]),
  );
  return [...handlers.values()]
    .map(([first, ...others]) => {
      const { namespace, callable, resolver } = first!;
      const having = announced.filter(({ by }) => by.covers(namespace, first!)).map(({ name }) => name);
      return {
        namespace,
        handler: callable,
        resolver,
        steps: [first!, ...others].map(({ template, version, step }) => ({ template, version, step })),
        workers: [...new Set(having)].sort(),
      };
    })
    .sort((a, b) => a.namespace.localeCompare(b.namespace) || a.handler.localeCompare(b.handler));
}
