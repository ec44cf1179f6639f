import { DOCS_TOOLS } from './docs-tools.ts';
import { OTHER_TOOLS } from './other-tools.ts';
import { TEMPLATE_TOOLS } from './template-tools.ts';
import { isWriteTool, type ReadTool, type WriteTool } from './tool.ts';
import { VERB_TOOLS } from './verb-tools.ts';

const TOOLS = [...OTHER_TOOLS, ...DOCS_TOOLS, ...TEMPLATE_TOOLS, ...VERB_TOOLS];

/** The tools that only read. */
export const READ_TOOLS: readonly ReadTool[] = TOOLS.filter((tool): tool is ReadTool => !isWriteTool(tool));

/** The tools that change something. They exist only with `--allow-writes`. */
export const WRITE_TOOLS: readonly WriteTool[] = TOOLS.filter(isWriteTool);
