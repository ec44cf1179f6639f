/** The delay before the next attempt that a handler suggests. */
export interface BackoffHint {
  /** The reason: `ServerRequested`, `RateLimit`, `ServiceUnavailable` or `Custom`. */
  backoffType: string;
  delaySeconds: number;
  context?: string | null;
}

/**
 * Hints for the engine that accompany a result. The delay before a retry comes from the `retry-after` header, or
 * otherwise from the backoff hint.
 */
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

/**
 * Returns the stored form, with snake_case keys. Metadata that already has this form, for example from JavaScript, is
 * kept.
 */
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

/** Returns the delay of the `Retry-After` header, or otherwise of the backoff hint. Null if there is neither. */
export function retryAfterIn(
  metadata: OrchestrationMetadata & Partial<StoredOrchestrationMetadata>,
): string | number | null {
  const hinted: unknown = metadata.backoffHint?.delaySeconds ?? metadata.backoff_hint?.delay_seconds;
  return retryAfterOf(metadata.headers) ?? (typeof hinted === 'number' ? hinted : null);
}

/** Returns the value of the `Retry-After` header. The name is case-insensitive. Null if there is no such header. */
function retryAfterOf(headers: Record<string, string> | undefined): string | null {
  for (const name in headers) if (name.toLowerCase() === 'retry-after') return headers[name] ?? null;
  return null;
}
