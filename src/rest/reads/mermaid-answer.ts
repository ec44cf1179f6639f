import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';

/** The content type of Mermaid strings. */
export const MERMAID = 'text/vnd.mermaid';

/** The parameter that chooses the form of a graph. */
export const FORMAT = z.object({
  format: z.enum(['json', 'mermaid']).optional().openapi({ description: 'Takes precedence over `Accept`.' }),
});

/** Returns whether the caller asks for a Mermaid text: by the parameter, or by `Accept` without JSON. */
export function wantsMermaid(c: Context, format: 'json' | 'mermaid' | undefined): boolean {
  if (format !== undefined) return format === 'mermaid';
  const accepted = c.req.header('accept') ?? '';
  return /text\/(vnd\.mermaid|plain)/.test(accepted) && !accepted.includes('application/json');
}
