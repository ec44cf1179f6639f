import path from 'node:path';
import { stringify } from 'smol-toml';
import { CONTEXT_FILES, type ConfigContext, namedConfig } from '../find-config.ts';
import { invalid } from '../load-config.ts';
import { readHome, shownAs } from '../read-home.ts';
import { WRITTEN_VARIABLE } from '../toml/read-toml.ts';

/** What to make one file of. */
export interface GenerateOptions {
  context: ConfigContext;
  /** Default: `TASKER_ENV`, else what `base/` says, else development. */
  environment?: string | undefined;
  /** A folder with `base/` and `environments/`. */
  source: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

/** One file, made of layers. */
export interface GeneratedConfig {
  text: string;
  environment: string;
  files: string[];
}

/**
 * Makes one file of the layers of a folder: tables merged, lists and values replaced, `${…}` kept, so that the file is
 * the same for every machine. @throws TaskerError `config_invalid`
 */
export function generateConfig(options: GenerateOptions): GeneratedConfig {
  const { context, source, env = process.env, cwd = process.cwd() } = options;
  const home = namedConfig(source, { cwd, by: '--source' });
  const environment = options.environment ?? (env['TASKER_ENV'] || undefined);
  const environmentBy = options.environment === undefined ? 'TASKER_ENV' : 'the environment';
  const read = readHome(home, { env: undefined, cwd, environment, environmentBy, contexts: contextsOf(context) });
  if (read.errors.length > 0) throw invalid(read.errors);
  const body = stringify(read.merged.table).replace(WRITTEN_VARIABLE, (_, variable: string) => variable);
  const from = shownAs(home.path, cwd).split(path.sep).join('/');
  const head = `# Made by \`tasker config generate\` from ${from} (${context}, ${read.environment}): change it there.\n\n`;
  return { text: `${head}${body}\n`, environment: read.environment, files: read.files };
}

/** A program needs what is common, and its own. */
function contextsOf(context: ConfigContext): readonly ConfigContext[] {
  if (context === 'complete') return CONTEXT_FILES;
  return context === 'common' ? ['common'] : ['common', context];
}
