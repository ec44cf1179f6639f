import { loadConfig } from '../../config/load-config.ts';
import { phraseSource, shownValues } from '../../config/show/show-config.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { table } from '../show/text.ts';
import { here } from '../this-run.ts';

/** `tasker config show`: prints the effective configuration, with secrets hidden. */
export function configShow({ json, databaseUrl }: GlobalOptions): void {
  const loaded = loadConfig({ ...here(), overrides: { databaseUrl } });
  const values = shownValues(loaded);
  if (json) {
    const entries = values.map(({ path, value, source }) => [path, { value: value ?? null, ...source }]);
    printJson({ files: loaded.files, values: Object.fromEntries(entries), warnings: loaded.warnings });
    return;
  }
  const rows = values.map(({ path, value, source }) => [
    path,
    value === undefined ? pc.dim('—') : JSON.stringify(value),
    source.from === 'default' ? pc.dim('default') : phraseSource(source),
  ]);
  print(table(['key', 'value', 'from'], rows));
  if (loaded.files.length === 0) note(pc.dim('no configuration file found'));
  for (const line of loaded.warnings) note(`${pc.yellow('warning:')} ${line}`);
}
