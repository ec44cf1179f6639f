import type { Command } from 'commander';
import { lazily } from '../options.ts';

/** `tasker mcp` */
export function addMcpCommand(program: Command): void {
  program
    .command('mcp')
    .description('serve assistants over the Model Context Protocol on standard input and output; needs an MCP SDK')
    .option('--allow-writes', 'also offer the tools that change tasks; each shows a preview first')
    .option('-b, --by <name>', 'operator name to record with changes; default: the OS user')
    .action(lazily(async () => (await import('./mcp.ts')).mcp));
}
