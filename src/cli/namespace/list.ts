import { snakeKeys } from '../../app/json/views.ts';
import type { GlobalOptions } from '../options.ts';
import { circumstances } from '../pause/describe.ts';
import { note, print, printJson } from '../show/output.ts';
import { table, upTo } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

/** Steps are counted up to this number. */
const COUNTED = 100_000;

/** `tasker namespace list`: lists the namespaces. */
export async function namespaceList(options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const [namespaces, pauses] = await Promise.all([tasker.engine.listNamespaces(), tasker.pauses()]);
    const paused = new Map(pauses.filter(({ scope }) => scope === 'namespace').map((pause) => [pause.target, pause]));
    if (options.json) {
      const views = namespaces.map((one) => {
        const pause = paused.get(one.name);
        return { ...snakeKeys(one), pause: pause ? snakeKeys(pause) : null };
      });
      return printJson(views);
    }
    if (namespaces.length === 0) return note('no namespaces; a worker registers the namespaces of its templates');
    const rows = namespaces.map(({ name, templates, readySteps, pausedSteps }) => {
      const pause = paused.get(name);
      const state = pause ? `paused ${circumstances(pause, Date.now())}` : '';
      return [name, String(templates), upTo(readySteps, COUNTED), upTo(pausedSteps, COUNTED), state];
    });
    print(table(['namespace', 'templates', 'ready', 'ready but paused', ''], rows));
  });
}
