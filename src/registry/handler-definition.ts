/** The part of a step's `handler` in a template that the registry needs. */
export interface HandlerDefinition {
  /** The name that the handler is registered under, or a name that a resolver understands. */
  callable: string;
  /** The method to call instead of `call`. */
  method?: string | null;
  /** The only resolver to ask. Default: all of them, in order of priority. */
  resolver?: string | null;
  /** Where the handler runs. Default: the handler's own setting. */
  isolation?: 'none' | 'thread' | null;
  /** The step's configuration for the handler. */
  initialization?: Record<string, unknown>;
  /** If false, the handler is not loaded from a file or a package. Default true. */
  loadsFiles?: boolean;
}

/** A definition in JSON and step events. Events of the Python worker use `handler_method` instead of `method`. */
export interface HandlerDefinitionDto extends Pick<HandlerDefinition, 'callable' | 'method' | 'resolver'> {
  handler_method?: string | null;
  initialization?: Record<string, unknown> | null;
}

/** A handler to resolve: a name, or the definition of a template. */
export type HandlerSpec = string | HandlerDefinition | HandlerDefinitionDto;

/**
 * Returns a definition with only a name.
 *
 * @example
 * fromCallable('charge'); // { callable: 'charge', method: null, resolver: null, initialization: {} }
 */
export function fromCallable(callable: string): HandlerDefinition {
  return { callable, method: null, resolver: null, initialization: {} };
}

/**
 * Returns the definition in a step event or a template's JSON. Without one, returns a definition with an empty name, for
 * which no handler is found.
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
 * Returns the definition for a spec. Returns a definition unchanged, because resolved handlers are cached by identity.
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
 * Returns the name of the method to call: the method of the definition, or `call`.
 *
 * @example
 * effectiveMethod({ callable: 'payment', method: 'refund' }); // 'refund'
 */
export function effectiveMethod(definition: HandlerDefinition): string {
  return definition.method || 'call';
}

/**
 * Returns whether the definition names a method other than `call`. @example usesMethodDispatch({ callable: 'payment'
 * }); // false
 */
export function usesMethodDispatch(definition: HandlerDefinition): boolean {
  return effectiveMethod(definition) !== 'call';
}

/**
 * Returns whether the definition names a resolver. @example hasResolverHint({ callable: 'x', resolver: 'tenants' }); //
 * true
 */
export function hasResolverHint(definition: HandlerDefinition): boolean {
  return Boolean(definition.resolver);
}
