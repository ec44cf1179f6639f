/** A handler's own idea of when the next attempt may start. */
export interface BackoffHint {
  /** `ServerRequested`, `RateLimit`, `ServiceUnavailable` or `Custom`. */
  backoffType: string;
  delaySeconds: number;
  context?: string | null;
}

/** What a result tells the engine besides its result. A `retry-after` among the headers, else the hint, decides the delay. */
export interface OrchestrationMetadata {
  headers?: Record<string, string>;
  errorContext?: string | null;
  backoffHint?: BackoffHint | null;
  custom?: Record<string, unknown>;
}

/** The stored form of {@link OrchestrationMetadata}. */
export interface StoredOrchestrationMetadata {
  headers: Record<string, string>;
  error_context: string | null;
  backoff_hint: { backoff_type: string; delay_seconds: number; context: string | null } | null;
  custom: Record<string, unknown>;
}

/** The stored, snake_case form. Metadata that is written in that form already (as JavaScript may) is kept. */
export function storedOrchestrationMetadata(
  metadata: OrchestrationMetadata & Partial<StoredOrchestrationMetadata>,
): StoredOrchestrationMetadata {
  const hint = metadata.backoffHint;
  return {
    headers: metadata.headers ?? {},
    error_context: metadata.errorContext ?? metadata.error_context ?? null,
    backoff_hint: hint
      ? { backoff_type: hint.backoffType, delay_seconds: hint.delaySeconds, context: hint.context ?? null }
      : (metadata.backoff_hint ?? null),
    custom: metadata.custom ?? {},
  };
}

/** When to try again, by the `Retry-After` header or else by the backoff hint; null when neither says. */
export function retryAfterIn(
  metadata: OrchestrationMetadata & Partial<StoredOrchestrationMetadata>,
): string | number | null {
  const hinted: unknown = metadata.backoffHint?.delaySeconds ?? metadata.backoff_hint?.delay_seconds;
  return retryAfterOf(metadata.headers) ?? (typeof hinted === 'number' ? hinted : null);
}

/** The value of the `Retry-After` header, whatever the case of its name; null when there is none. */
function retryAfterOf(headers: Record<string, string> | undefined): string | null {
  for (const name in headers) if (name.toLowerCase() === 'retry-after') return headers[name] ?? null;
  return null;
}
