import { useId, useState } from 'react';
import { fieldKindOf, hasForm, type Schema, violationsOf } from './json-schema.ts';

const BOX = 'mt-1 block w-full rounded-md border border-edge bg-surface px-2 text-ink';

/** A JSON value as it is typed. It is kept in the tab, so that it survives a reload. */
export interface JsonDraft {
  text: string;
  /** Undefined: the text is not valid JSON. */
  value: unknown;
  /** The problems of the value. Empty: it can be sent. */
  problems: readonly string[];
  set(text: string): void;
  /** Forgets the kept text. */
  forget(): void;
}

/** `key` names the draft in the tab. */
export function useJsonDraft(key: string, { schema, first }: { schema: Schema | null; first: unknown }): JsonDraft {
  const name = `tasker.draft ${key}`;
  const [text, setText] = useState(() => sessionStorage.getItem(name) ?? JSON.stringify(first, null, 2));
  const { value, problem } = parsed(text);
  return {
    text,
    value,
    problems: problem === undefined ? (schema ? violationsOf(schema, value) : []) : [problem],
    set: (next) => {
      setText(next);
      sessionStorage.setItem(name, next);
    },
    forget: () => sessionStorage.removeItem(name),
  };
}

function parsed(text: string): { value?: unknown; problem?: string } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    return { problem: `not valid JSON: ${(error as Error).message}` };
  }
}

/** Edits a JSON value: a form if its schema describes an object, otherwise an editor. The editor is always available. */
export function JsonField({ label, draft, schema }: { label: string; draft: JsonDraft; schema: Schema | null }) {
  const id = useId();
  const isObject = draft.value !== null && typeof draft.value === 'object' && !Array.isArray(draft.value);
  const canForm = hasForm(schema) && isObject;
  const [asText, setAsText] = useState(false);
  return (
    <fieldset className="mt-4">
      <div className="flex items-baseline justify-between text-xs text-soft">
        <legend>{label}</legend>
        {hasForm(schema) && (
          <button
            type="button"
            className="text-accent hover:underline disabled:text-faint disabled:no-underline"
            disabled={!isObject}
            onClick={() => setAsText((now) => !now)}
          >
            {canForm && !asText ? 'Edit as JSON' : 'Edit as a form'}
          </button>
        )}
      </div>
      {canForm && !asText ? (
        <Form
          schema={schema}
          value={draft.value as Record<string, unknown>}
          onChange={(next) => draft.set(JSON.stringify(next, null, 2))}
        />
      ) : (
        <textarea
          className={`${BOX} p-2 font-mono text-xs`}
          rows={Math.min(14, Math.max(4, draft.text.split('\n').length))}
          spellCheck={false}
          aria-label={label}
          aria-invalid={draft.problems.length > 0}
          aria-describedby={id}
          value={draft.text}
          onChange={({ target }) => draft.set(target.value)}
        />
      )}
      <ul id={id} aria-live="polite" className="mt-1 text-xs text-s-red">
        {draft.problems.slice(0, 5).map((problem) => (
          <li key={problem}>{problem}</li>
        ))}
      </ul>
    </fieldset>
  );
}

interface FormProps {
  schema: Schema & { properties: Record<string, Schema> };
  value: Record<string, unknown>;
  onChange(value: Record<string, unknown>): void;
}

function Form({ schema: { properties, required = [] }, value, onChange }: FormProps) {
  return (
    <div className="mt-1 grid gap-3">
      {Object.entries(properties).map(([key, schema]) => (
        <Field
          key={key}
          label={`${schema.title ?? key}${required.includes(key) ? '' : ' (optional)'}`}
          schema={schema}
          value={value[key]}
          onChange={(field) => {
            const { [key]: _, ...rest } = value;
            onChange(field === undefined ? rest : { ...value, [key]: field });
          }}
        />
      ))}
    </div>
  );
}

interface FieldProps {
  label: string;
  schema: Schema;
  value: unknown;
  /** Undefined: the field is left out. */
  onChange(value: unknown): void;
}

function Field({ label, schema, value, onChange }: FieldProps) {
  const id = useId();
  const kind = fieldKindOf(schema);
  if (kind === 'boolean') {
    return (
      <label className="flex items-center gap-2 text-sm">
        <input type="checkbox" checked={value === true} onChange={({ target }) => onChange(target.checked)} />
        {label}
      </label>
    );
  }
  return (
    <div>
      <label htmlFor={id} className="block text-xs text-soft">
        {label}
      </label>
      {kind === 'choice' && (
        <select
          id={id}
          className={`${BOX} h-8 text-sm`}
          value={String(value ?? '')}
          onChange={({ target }) => onChange(target.value || undefined)}
        >
          <option value="">–</option>
          {schema.enum!.map((one) => (
            <option key={String(one)}>{String(one)}</option>
          ))}
        </select>
      )}
      {kind === 'json' && <JsonInput id={id} value={value} onChange={onChange} />}
      {(kind === 'text' || kind === 'number') && (
        <input
          id={id}
          className={`${BOX} h-8 text-sm`}
          {...(kind === 'number' && { type: 'number', step: schema.type === 'integer' ? 1 : 'any' })}
          value={typeof value === 'string' || typeof value === 'number' ? value : ''}
          onChange={({ target }) => onChange(typed(target.value, kind))}
        />
      )}
      {schema.description && <p className="mt-0.5 text-xs text-faint">{schema.description}</p>}
    </div>
  );
}

function typed(text: string, kind: 'text' | 'number'): unknown {
  if (text === '') return undefined;
  return kind === 'number' ? Number(text) : text;
}

/** A field of the form whose value is an object or an array. A text that is not valid JSON is a string. */
function JsonInput({ id, value, onChange }: Pick<FieldProps, 'value' | 'onChange'> & { id: string }) {
  const [text, setText] = useState(() => (value === undefined ? '' : JSON.stringify(value)));
  return (
    <input
      id={id}
      className={`${BOX} h-8 font-mono text-xs`}
      placeholder="JSON"
      spellCheck={false}
      value={text}
      onChange={({ target }) => {
        setText(target.value);
        const { value: next, problem } = parsed(target.value);
        onChange(target.value === '' ? undefined : problem === undefined ? next : target.value);
      }}
    />
  );
}
