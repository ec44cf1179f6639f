import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, stepActs } from '../../../api/client.ts';
import type { StepResponse } from '../../../api/types.ts';
import { useDraft } from '../../../parts/draft.ts';
import { checkValue } from '../../../parts/form/check-value.ts';
import { FormDialog } from '../../../parts/form/form-dialog.tsx';
import { initialOf, type Schema, shapeOf } from '../../../parts/form/json-schema.ts';
import { SchemaForm } from '../../../parts/form/schema-form.tsx';
import type { TaskData } from '../use-task.ts';
import { quoted } from './copy-as.tsx';

interface CompleteDialogProps {
  data: TaskData;
  step: StepResponse;
  onClose(): void;
}

/** Asks for the result of a step: in a form if its template has a schema for it, otherwise as JSON. */
export function CompleteDialog({ data: { task }, step, onClose }: CompleteDialogProps) {
  const { namespace, name: template, version } = task;
  const { data, error } = useQuery({
    queryKey: ['template', namespace, template, version, 'schemas'],
    queryFn: ({ signal }) => api.templates.get(namespace, template, version, { signal }),
    staleTime: 60_000,
  });
  // Without the permission to read templates, there is no form.
  if (!data && !error) return null;
  const schema = data?.steps.find(({ name }) => name === step.template_step_name)?.result_schema ?? null;
  return <Loaded step={step} schema={schema} onClose={onClose} />;
}

function Loaded({ step, schema, onClose }: { step: StepResponse; schema: Schema | null; onClose(): void }) {
  const { name, task_uuid: uuid, step_uuid: id } = step;
  const beginning = (schema && initialOf(shapeOf(schema), true)) ?? {};
  const [value, setValue, forget] = useDraft<unknown>(`complete ${uuid} ${name}`, beginning);
  const [valid, setValid] = useState(true);
  const violations = schema && valid ? checkValue(schema, value) : [];
  return (
    <FormDialog
      wide
      title={`Complete ${name}`}
      verb="Complete the step"
      needsReason
      complete={valid && violations.length === 0}
      command={`npx tasker step complete ${uuid} ${quoted(name)} --result ${quoted(JSON.stringify(value) ?? '{}')}`}
      send={async (said) => {
        await stepActs.complete(uuid, id, { result: value, ...said });
        forget();
      }}
      onClose={onClose}
    >
      <p className="text-soft">
        The step is done with this result. The steps after it continue, and can read the result.
      </p>
      <SchemaForm
        schema={schema ?? undefined}
        label="Result"
        value={value}
        violations={violations}
        onChange={setValue}
        onValid={setValid}
      />
    </FormDialog>
  );
}
