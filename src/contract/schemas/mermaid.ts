import { z } from 'zod';

/** The content type of Mermaid strings. */
export const MERMAID = 'text/vnd.mermaid';

/** The parameter that chooses the form of a graph. */
export const FORMAT = z.object({
  format: z.enum(['json', 'mermaid']).optional().meta({ description: 'Takes precedence over `Accept`.' }),
});
