import { type ReactNode, useState } from 'react';
import type { Said } from '../api/types.ts';
import { useDraft } from './draft.ts';
import { checkValue } from './form/check-value.ts';
import { FormDialog } from './form/form-dialog.tsx';
import { initialOf, type Schema, shapeOf } from './form/json-schema.ts';
import { SchemaForm } from './form/schema-form.tsx';

export interface Act {
  /** The title of the dialog, which names the action. */
  title: string;
  /** The verb on the button, with the number of tasks. */
  verb: string;
  /** The effect of the action. */
  preview: ReactNode;
  danger?: boolean;
  /** Whether the action must have a reason. */
  needsReason?: boolean;
  /** The label of a field for JSON that the action sends, which begins as `{}`. */
  json?: string;
  /** The schema of the JSON. There is then a form for it. */
  schema?: Schema | null;
  run(said: Said, json: unknown): Promise<unknown>;
}

/** Asks for confirmation of an action: shows its effect, and the name for the audit. */
export function ActDialog({ act, onClose }: { act: Act; onClose(): void }) {
  return act.schema ? (
    <SchemaDialog act={act} schema={act.schema} onClose={onClose} />
  ) : (
    <PlainDialog act={act} onClose={onClose} />
  );
}

function SchemaDialog({ act, schema, onClose }: { act: Act; schema: Schema; onClose(): void }) {
  const { title, verb, preview, danger, needsReason = false, json: label = 'Value', run } = act;
  const [value, setValue, forget] = useDraft<unknown>(
    `form ${location.pathname} ${title}`,
    initialOf(shapeOf(schema), true) ?? {},
  );
  const [valid, setValid] = useState(true);
  const violations = valid ? checkValue(schema, value) : [];
  return (
    <FormDialog
      wide
      title={title}
      verb={verb}
      danger={danger}
      needsReason={needsReason}
      complete={valid && violations.length === 0}
      send={async (said) => {
        await run(said, value);
        forget();
      }}
      onClose={onClose}
    >
      <div className="text-soft">{preview}</div>
      <SchemaForm
        schema={schema}
        label={label}
        value={value}
        violations={violations}
        onChange={setValue}
        onValid={setValid}
      />
    </FormDialog>
  );
}

function PlainDialog({ act, onClose }: { act: Act; onClose(): void }) {
  const { title, verb, preview, danger, needsReason = false, json: label, run } = act;
  const [json, setJson, forget] = useDraft(`json ${location.pathname} ${title}`, '{}');
  const parsed = parsedJson(json);
  return (
    <FormDialog
      title={title}
      verb={verb}
      danger={danger}
      needsReason={needsReason}
      complete={parsed !== undefined}
      send={async (said) => {
        await run(said, parsed?.value);
        forget();
      }}
      onClose={onClose}
    >
      <div className="text-soft">{preview}</div>
      {label && (
        <label className="mt-1 block text-xs text-soft">
          {label}
          <textarea
            className="mt-1 block w-full rounded-md border border-edge bg-surface p-2 font-mono text-xs text-ink"
            rows={4}
            spellCheck={false}
            aria-invalid={parsed === undefined}
            value={json}
            onChange={({ target }) => setJson(target.value)}
          />
          {parsed === undefined && <span className="text-s-red">This is not valid JSON.</span>}
        </label>
      )}
    </FormDialog>
  );
}

/** Returns the value of a JSON text. Undefined if it is not valid. */
function parsedJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
