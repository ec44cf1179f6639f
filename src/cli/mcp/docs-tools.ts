import { z } from 'zod';
import { docsSearch, packagedDocs } from './docs-search.ts';
import { type ReadTool, readTool } from './tool.ts';

/** The excerpts of this number of sections have about 3,000 characters. */
const RESULTS = 6;

let search: ReturnType<typeof docsSearch> | undefined;

/** Tools about the documentation in this package. They send no request. */
export const DOCS_TOOLS: readonly ReadTool[] = [
  readTool({
    name: 'search_docs',
    description: 'Searches the documentation. The uri of a result is a resource: the whole page.',
    input: { query: z.string().min(1).max(300) },
    run: async (_ask, { query }) => {
      search ??= docsSearch(packagedDocs());
      const results = search(query, RESULTS).map(({ path, heading, anchor, excerpt }) => ({
        path: anchor === '' ? path : `${path}#${anchor}`,
        heading,
        excerpt,
        uri: `tasker://${path}`,
      }));
      return { results };
    },
  }),
];
