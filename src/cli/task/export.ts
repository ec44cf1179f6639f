import { encodeShape } from '../../contract/codec.ts';
import { SHAPES } from '../../contract/shapes.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print } from '../show/output.ts';
import { writeOutput } from '../show/write-output.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker task export`: prints a task with everything that belongs to it as one JSON document, or writes it to a file. */
export async function taskExport(uuid: string, options: GlobalOptions & { output?: string }): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const exported = await tasker.exportTask(uuid);
    const text = JSON.stringify(encodeShape(SHAPES.tasks!.export!, exported), null, 2);
    if (options.output === undefined) print(text);
    else {
      writeOutput(options.output, `${text}\n`);
      note(`wrote ${options.output}`);
    }
    for (const { part, why } of exported.omitted)
      note(`without ${part === 'sensitive' ? 'sensitive values' : part}: ${why}`);
  });
}
