import { useState } from 'react';
import type { Schema } from './json-schema.ts';
import { pointerPart, shapeOf, type Violation } from './json-schema.ts';
import { JsonField, ObjectFields } from './schema-fields.tsx';

interface SchemaFormProps {
  /** Undefined means any JSON object. */
  schema: Schema | undefined;
  value: unknown;
  /** The label of the JSON editor. */
  label: string;
  violations: readonly Violation[];
  onChange(value: unknown): void;
  /** Returns whether the value can be sent. Text in the JSON editor may be incomplete. */
  onValid(valid: boolean): void;
}

/**
 * A form for an object of a schema. Parts that a form cannot express are entered as JSON. The user can also choose to
 * enter the whole object as JSON.
 */
export function SchemaForm({ schema, value, label, violations, onChange, onValid }: SchemaFormProps) {
  const shape = schema && shapeOf(schema);
  const typed = shape?.kind === 'object';
  const [asJson, setAsJson] = useState(!typed);
  const shown = typed && !asJson ? placesOf(shape, '') : new Set<string>();
  const elsewhere = violations.filter(({ path }) => !shown.has(path.replace(/\/\d+(?=\/|$)/g, '/*')));
  return (
    <div>
      {typed && (
        <div className="mb-3 flex justify-end">
          <button
            type="button"
            className="text-xs text-accent hover:underline"
            onClick={() => {
              onValid(true);
              setAsJson(!asJson);
            }}
          >
            {asJson ? 'Edit as a form' : 'Edit as JSON'}
          </button>
        </div>
      )}
      {elsewhere.length > 0 && (
        <ul role="alert" className="mb-3 rounded-md border border-s-red bg-t-red px-3 py-2 text-sm text-s-red">
          {elsewhere.map(({ path, message }) => (
            <li key={`${path} ${message}`} className="break-words">
              {path === '' ? '' : `${path.slice(1).replaceAll('/', '.')} `}
              {message}
            </li>
          ))}
        </ul>
      )}
      {asJson ? (
        <JsonField label={label} rows={10} required value={value} onChange={onChange} onValid={onValid} />
      ) : (
        <ObjectFields shape={shape!} required path="" value={value} violations={violations} onChange={onChange} />
      )}
    </div>
  );
}

/** Returns the paths that have a field, with `*` for the items of lists. */
function placesOf(shape: ReturnType<typeof shapeOf>, path: string): Set<string> {
  const places = new Set([path]);
  const inner = [
    ...shape.fields.map(({ name, shape: one }) => placesOf(one, `${path}/${pointerPart(name)}`)),
    ...(shape.item ? [placesOf(shape.item, `${path}/*`)] : []),
  ];
  for (const set of inner) for (const place of set) places.add(place);
  if (path === '') places.delete('');
  return places;
}
