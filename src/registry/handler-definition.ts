/** What a template says about a step's handler, as far as the registry needs it. */
export interface HandlerDefinition {
  /** The name that the handler was registered under, or that a resolver understands. */
  callable: string;
  /** The method to call instead of `call`. */
  method?: string | null;
  /** The one resolver to ask; without it all of them, in their order. */
  resolver?: string | null;
  /** Where the handler runs; absent: as the handler itself says. */
  isolation?: 'none' | 'thread' | null;
  /** The step's own configuration. */
  initialization?: Record<string, unknown>;
}

/** A definition as JSON and step events carry it. The Python worker's events say `handler_method`. */
export interface HandlerDefinitionDto extends Pick<HandlerDefinition, 'callable' | 'method' | 'resolver'> {
  handler_method?: string | null;
  initialization?: Record<string, unknown> | null;
}

/** What can be resolved: a name, or a template's definition. */
export type HandlerSpec = string | HandlerDefinition | HandlerDefinitionDto;

/**
 * The definition that is a name and nothing else.
 *
 * @example
 * fromCallable('charge'); // { callable: 'charge', method: null, resolver: null, initialization: {} }
 */
export function fromCallable(callable: string): HandlerDefinition {
  return { callable, method: null, resolver: null, initialization: {} };
}

/**
 * The definition that a step event or a template's JSON carries. Of nothing, one with an empty name, which resolves to
 * nothing.
 *
 * @example
 * fromDto({ callable: 'payment', method: 'refund' }).method; // 'refund'
 */
export function fromDto(dto: HandlerDefinitionDto | null | undefined): HandlerDefinition {
  return {
    callable: dto?.callable ?? '',
    method: dto?.method ?? dto?.handler_method ?? null,
    resolver: dto?.resolver ?? null,
    initialization: dto?.initialization ?? {},
  };
}

/**
 * A definition of any spec. A definition is given back as it is, so that what was found for it is known again.
 *
 * @example
 * normalizeToDefinition('charge').callable; // 'charge'
 */
export function normalizeToDefinition(spec: HandlerSpec): HandlerDefinition {
  if (typeof spec === 'string') return fromCallable(spec);
  return isDefinition(spec) ? spec : fromDto(spec);
}

function isDefinition(spec: HandlerDefinition | HandlerDefinitionDto): spec is HandlerDefinition {
  return spec.initialization !== null && !('handler_method' in spec);
}

/**
 * The method that is called: `call`, unless the definition names another.
 *
 * @example
 * effectiveMethod({ callable: 'payment', method: 'refund' }); // 'refund'
 */
export function effectiveMethod(definition: HandlerDefinition): string {
  return definition.method || 'call';
}

/** Whether another method than `call` is wanted. @example usesMethodDispatch({ callable: 'payment' }); // false */
export function usesMethodDispatch(definition: HandlerDefinition): boolean {
  return effectiveMethod(definition) !== 'call';
}

/** Whether one resolver is to be asked, and no other. @example hasResolverHint({ callable: 'x', resolver: 'tenants' }); // true */
export function hasResolverHint(definition: HandlerDefinition): boolean {
  return Boolean(definition.resolver);
}
