import type { Command } from 'commander';
import { addOperator } from '../operator.ts';
import { collect, collectNamespaces, duration, lazily } from '../options.ts';

/** `tasker auth …` */
export function addAuthCommands(program: Command): void {
  const auth = program.command('auth').description('manage the credentials of the HTTP API');
  const key = auth.command('key').description('create, list, revoke and rotate API keys');
  addOperator(key.command('create <name>'))
    .description('create an API key and print it; it cannot be shown again')
    .option('--role <role>', 'viewer, operator or admin; may be repeated', collect)
    .option('--permission <permission>', 'a permission such as tasks:read, or tasks:*; may be repeated', collect)
    .option('-n, --namespace <namespace>', 'only this namespace; may be repeated (default: all)', collectNamespaces)
    .option('--expires-in <duration>', 'time until the key expires, such as 90d (default: never)', duration)
    .action(lazily(async () => (await import('./keys.ts')).keyCreate));
  key
    .command('list')
    .description('list API keys: prefix, rights, expiry and last use')
    .option('--all', 'include revoked and expired keys')
    .action(lazily(async () => (await import('./keys.ts')).keyList));
  addOperator(key.command('revoke <key>'))
    .description('revoke an API key by its name, prefix or id; servers reject it within 2 seconds')
    .action(lazily(async () => (await import('./keys.ts')).keyRevoke));
  addOperator(key.command('rotate <key>'))
    .description('print a new API key with the same name and rights; the old one works until the overlap ends')
    .option('--overlap <duration>', 'time until the old key stops working (default: 24h); 0 revokes it now', duration)
    .option('--expires-in <duration>', 'time until the new key expires (default: never)', duration)
    .action(lazily(async () => (await import('./keys.ts')).keyRotate));
  const session = auth.command('session').description('list and end browser sessions');
  session
    .command('list')
    .description('list the sessions that have not ended: subject, rights, start and expiry')
    .option('--subject <subject>', 'only the sessions of this subject, such as key:ci or the name of a login')
    .action(lazily(async () => (await import('./sessions.ts')).sessionList));
  addOperator(session.command('end <session>'))
    .description('end a session by its id, or all sessions of a subject; servers reject them within 2 seconds')
    .action(lazily(async () => (await import('./sessions.ts')).sessionEnd));
}
