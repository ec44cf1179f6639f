/** What a template says about a step's handler, as far as the registry needs it. */
export interface HandlerDefinition {
  /** The name that the handler was registered under. */
  callable: string;
  /** The method to call instead of `call`. */
  method?: string | null;
  /** Which resolver to ask. */
  resolver?: string | null;
  initialization?: Record<string, unknown>;
}

/** What can be resolved: a name, or a template's definition. */
export type HandlerSpec = string | HandlerDefinition;
