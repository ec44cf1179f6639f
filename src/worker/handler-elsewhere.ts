import type { Engine } from '../engine/engine.ts';
import { nearNames } from '../model/near-names.ts';
import { announcedAs, covers } from '../registry/announcement.ts';
import type { HandlerDefinition } from '../registry/handler-definition.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import { ResolverNotFoundError } from '../registry/resolution-errors.ts';
import type { HeldStep } from './held-step.ts';

/** Who asks for the handler of which step. */
export interface Asking {
  engine: Engine;
  registry: HandlerRegistry;
  workerId: number;
  step: HeldStep;
}

/** Whether another living worker of the step's namespace has the handler that this one lacks. */
export async function servedElsewhere({ engine, registry, workerId, step }: Asking): Promise<boolean> {
  const { handler } = step.template;
  const entry = announcedAs(handler);
  // A resolver here takes it for its business and found nothing. Another worker with the same one would send the step
  // back, and so on for ever; only who says outright that it has the handler gets it.
  const ours = registry.canResolve(handler);
  if (ours && entry !== handler.callable) return false;
  const { namespace } = step.task.snapshot.template;
  const announced = await engine.announcedElsewhere({ workerId, namespace, entry });
  return covers(announced, handler, { forms: !ours });
}

/** What to say of a handler that nobody has. */
export function whyMissing(registry: HandlerRegistry, { callable, resolver }: HandlerDefinition): string {
  const resolvers = registry.chain.listResolvers().map(([name]) => name);
  if (resolver && !resolvers.includes(resolver)) return new ResolverNotFoundError(resolver, resolvers).message;
  if (resolver) return `resolver ${resolver} has no handler named ${callable}`;
  return `no worker has a handler named ${callable}; ${hintFor(registry, callable)}`;
}

function hintFor(registry: HandlerRegistry, callable: string): string {
  const isFile = /^\.{1,2}\//.test(callable);
  if (isFile && !registry.canResolve(callable)) return 'to name handlers by file, give the registry a baseFolder';
  const known = registry.listHandlers();
  const near = nearNames(callable, known);
  if (near.length > 0) return `did you mean ${near.join(' or ')}?`;
  return known.length > 0 ? `registered are ${known.slice(0, 10).join(', ')}` : 'no handler is registered at all';
}
