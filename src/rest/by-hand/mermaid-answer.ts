import type { Context } from 'hono';

/** Returns whether the caller asks for a Mermaid text: by the parameter, or by `Accept` without JSON. */
export function wantsMermaid(c: Context, format: 'json' | 'mermaid' | undefined): boolean {
  if (format !== undefined) return format === 'mermaid';
  const accepted = c.req.header('accept') ?? '';
  return /text\/(vnd\.mermaid|plain)/.test(accepted) && !accepted.includes('application/json');
}
