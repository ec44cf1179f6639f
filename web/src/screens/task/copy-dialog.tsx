import { useState } from 'react';
import { useNavigate } from 'react-router';
import { api, pathOf } from '../../api/client.ts';
import type { Task } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { useDraft } from '../../parts/draft.ts';
import { TextField } from '../../parts/form/field.tsx';
import { FormDialog } from '../../parts/form/form-dialog.tsx';
import { SchemaForm } from '../../parts/form/schema-form.tsx';
import { REDACTED } from '../../parts/json-tree.tsx';
import { useSource } from '../template/use-template.ts';

/** Creates a task like this one, with its context or a changed one. */
export function CopyDialog({ task, onClose }: { task: Task; onClose(): void }) {
  const { data, error } = useSource(task);
  // Without the permission to read templates, there is no form.
  if (!data && !error) return null;
  return <Loaded task={task} schema={data?.template.input_schema ?? undefined} onClose={onClose} />;
}

interface LoadedProps {
  task: Task;
  schema: Parameters<typeof SchemaForm>[0]['schema'];
  onClose(): void;
}

function Loaded({ task, schema, onClose }: LoadedProps) {
  const { task_uuid: uuid, name, context: original } = task;
  const [draft, setDraft, forget] = useDraft<{ context: unknown; key: string }>(`copy ${uuid}`, {
    context: original ?? {},
    key: '',
  });
  const [valid, setValid] = useState(true);
  const navigate = useNavigate();
  const link = useLinks();
  const { context, key } = draft;
  const text = JSON.stringify(context);
  // An unchanged context is copied by the server, which also knows its secrets.
  const changed = text !== JSON.stringify(original ?? {});
  return (
    <FormDialog
      title="Copy the task"
      verb="Create the copy"
      wide
      complete={valid}
      command={`npx tasker task copy ${uuid}`}
      onClose={onClose}
      send={async (said) => {
        const copy = await api.tasks.copy(uuid, {
          ...said,
          ...(changed && { context: context as Task['context'] }),
          ...(key.trim() !== '' && { idempotency_key: key.trim() }),
        });
        forget();
        void navigate(link(pathOf`tasks/${copy.task_uuid}`));
      }}
    >
      <p className="text-soft">
        A new task of {name} {task.version} runs all steps {changed ? 'with this context' : 'with the same context'}.
        The original task does not change.
      </p>
      {changed && text.includes(REDACTED) && (
        <p className="rounded-md border-l-2 border-s-amber bg-t-amber px-3 py-2">
          Some values are redacted. A changed context is sent as it is shown, without them.
        </p>
      )}
      <SchemaForm
        schema={schema}
        label="Context"
        value={context}
        violations={[]}
        onChange={(next) => setDraft({ ...draft, context: next })}
        onValid={setValid}
      />
      <TextField
        label="Idempotency key"
        hint="A second request with it gets the same task."
        value={key}
        onChange={(next) => setDraft({ ...draft, key: next })}
      />
    </FormDialog>
  );
}
