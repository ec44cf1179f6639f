import { encode } from '../../contract/encode.ts';
import { TaskExportSchema } from '../../contract/schemas/task-export.ts';
import type { GlobalOptions } from '../options.ts';
import { clientOf } from '../remote/remote-tasker.ts';
import { note, print } from '../show/output.ts';
import { writeOutput } from '../show/write-output.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker task export`: prints a task with everything that belongs to it as one JSON document, or writes it to a file. */
export async function taskExport(uuid: string, options: GlobalOptions & { output?: string }): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const remote = clientOf(tasker)?.tasks.export(uuid);
    const document = remote ? await remote : encode(TaskExportSchema, await tasker.exportTask(uuid));
    const text = JSON.stringify(document, null, 2);
    if (options.output === undefined) print(text);
    else writeOutput(options.output, `${text}\n`);
    for (const { part, why } of document.omitted) note(`not contained: ${part}, because ${why}`);
  });
}
