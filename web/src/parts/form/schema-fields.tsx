import { useState } from 'react';
import { Button } from '../controls.tsx';
import { ChoiceField, Field, INPUT, TextField } from './field.tsx';
import { initialOf, pointerPart, type Shape, type Violation } from './json-schema.ts';

export interface ValueProps {
  name: string;
  shape: Shape;
  required: boolean;
  /** A JSON pointer to the value. */
  path: string;
  /** If undefined, the value is omitted. */
  value: unknown;
  violations: readonly Violation[];
  onChange(value: unknown): void;
}

const INPUT_TYPES: Readonly<Record<string, string>> = { date: 'date', email: 'email', uri: 'url', time: 'time' };
const LONG_TEXT = 200;

/** The fields for a value of a schema. */
export function ValueField(props: ValueProps) {
  switch (props.shape.kind) {
    case 'text':
      return <TextValue {...props} />;
    case 'number':
      return <NumberValue {...props} />;
    case 'boolean':
      return <BooleanValue {...props} />;
    case 'choice':
      return <ChoiceValue {...props} />;
    case 'object':
      return <ObjectValue {...props} />;
    case 'list':
      return <ListValue {...props} />;
    case 'json':
      return <JsonValue {...props} />;
  }
}

function common({ name, shape: { schema }, required, path, violations }: ValueProps) {
  return {
    label: schema.title ?? name,
    required,
    hint: schema.description,
    error: violations.find((violation) => violation.path === path)?.message,
  };
}

function TextValue(props: ValueProps) {
  const { shape, value, onChange } = props;
  const { format, maxLength } = shape.schema;
  const text = typeof value === 'string' ? value : '';
  // An empty field is omitted. If the field is required, the server reports the missing value.
  const change = (next: string) => onChange(next === '' ? undefined : next);
  if ((maxLength ?? 0) > LONG_TEXT) {
    return (
      <Field {...common(props)}>
        {(described) => (
          <textarea
            {...described}
            rows={3}
            className={`${INPUT} py-1.5`}
            value={text}
            onChange={({ target }) => change(target.value)}
          />
        )}
      </Field>
    );
  }
  if (format === 'date-time') {
    return (
      <TextField
        {...common(props)}
        placeholder="2030-01-31T12:00:00Z"
        autoComplete="off"
        value={text}
        onChange={change}
      />
    );
  }
  return (
    <TextField
      {...common(props)}
      type={INPUT_TYPES[format ?? ''] ?? 'text'}
      autoComplete="off"
      value={text}
      onChange={change}
    />
  );
}

function NumberValue(props: ValueProps) {
  const { value, shape, onChange } = props;
  const [typed, setTyped] = useState<string>();
  const { minimum, maximum } = shape.schema;
  const range = [minimum !== undefined && `at least ${minimum}`, maximum !== undefined && `at most ${maximum}`];
  const { hint, ...rest } = common(props);
  return (
    <TextField
      {...rest}
      hint={[hint, range.filter(Boolean).join(', ')].filter(Boolean).join(' · ')}
      inputMode="decimal"
      autoComplete="off"
      // The text as typed, because `1.` and `1e` are unfinished numbers.
      value={typed !== undefined && numberOf(typed) === value ? typed : String(value ?? '')}
      onChange={(text) => {
        setTyped(text);
        onChange(numberOf(text));
      }}
    />
  );
}

/** Parses a number. Other text is returned unchanged, so that the server reports it. */
function numberOf(text: string): number | string | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const number = Number(trimmed);
  return Number.isFinite(number) ? number : trimmed;
}

function BooleanValue(props: ValueProps) {
  const { value, required, onChange } = props;
  return (
    <ChoiceField
      {...common(props)}
      value={value === undefined ? '' : String(value)}
      options={[...(required ? [] : [['', 'Not set'] as const]), ['true', 'Yes'], ['false', 'No']]}
      onChange={(text) => onChange(text === '' ? undefined : text === 'true')}
    />
  );
}

function ChoiceValue(props: ValueProps) {
  const { value, shape, onChange } = props;
  const choices = shape.schema.enum ?? [shape.schema.const];
  const at = choices.findIndex((choice) => JSON.stringify(choice) === JSON.stringify(value));
  return (
    <ChoiceField
      {...common(props)}
      value={at < 0 ? '' : String(at)}
      options={[
        ['', props.required ? 'Choose…' : 'Not set'],
        ...choices.map(
          (choice, index) => [String(index), typeof choice === 'string' ? choice : JSON.stringify(choice)] as const,
        ),
      ]}
      onChange={(text) => onChange(text === '' ? undefined : choices[Number(text)])}
    />
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function ObjectValue(props: ValueProps) {
  const { label, hint, error } = common(props);
  return (
    <fieldset className="rounded-md border border-line px-3 pt-1 pb-3">
      <legend className="px-1 text-xs font-medium text-soft">{label}</legend>
      {hint && <p className="mb-2 text-xs text-faint">{hint}</p>}
      {error && <p className="mb-2 text-xs text-s-red">{error}</p>}
      <ObjectFields {...props} />
    </fieldset>
  );
}

/** The fields of an object, without a border. */
export function ObjectFields({ shape, required, path, value, violations, onChange }: Omit<ValueProps, 'name'>) {
  const object = isObject(value) ? value : {};
  return (
    <div className="grid gap-3">
      {shape.fields.map(({ name, shape: inner, required: needed }) => (
        <ValueField
          key={name}
          name={name}
          shape={inner}
          required={needed}
          path={`${path}/${pointerPart(name)}`}
          value={Object.hasOwn(object, name) ? object[name] : undefined}
          violations={violations}
          onChange={(next) => {
            const others = Object.entries(object).filter(([key]) => key !== name);
            const all = next === undefined ? others : [...others, [name, next] as const];
            onChange(all.length === 0 && !required ? undefined : Object.fromEntries(all));
          }}
        />
      ))}
    </div>
  );
}

const emptyOf = ({ kind }: Shape) => (kind === 'text' ? '' : null);

function ListValue(props: ValueProps) {
  const { shape, required, path, value, violations, onChange } = props;
  const { label, hint, error } = common(props);
  const items: unknown[] = Array.isArray(value) ? value : [];
  const item = shape.item!;
  const change = (next: unknown[]) => onChange(next.length === 0 && !required ? undefined : next);
  return (
    <fieldset className="rounded-md border border-line px-3 pt-1 pb-3">
      <legend className="px-1 text-xs font-medium text-soft">
        {label}
        {required && <span className="text-s-red"> *</span>}
      </legend>
      {hint && <p className="mb-2 text-xs text-faint">{hint}</p>}
      {error && <p className="mb-2 text-xs text-s-red">{error}</p>}
      <ol className="grid gap-2">
        {items.map((one, at) => (
          // Items have no identity other than their position.
          <li key={`${items.length} ${at}`} className="flex items-end gap-2">
            <div className="min-w-0 grow">
              <ValueField
                name={`${label} ${at + 1}`}
                shape={item}
                required
                path={`${path}/${at}`}
                value={one}
                violations={violations}
                onChange={(next) => change(items.map((old, index) => (index === at ? (next ?? emptyOf(item)) : old)))}
              />
            </div>
            <Button
              look="quiet"
              className="px-2"
              aria-label={`Remove ${label} ${at + 1}`}
              onClick={() => change(items.filter((_, index) => index !== at))}
            >
              Remove
            </Button>
          </li>
        ))}
      </ol>
      <Button
        className="mt-2 h-7 px-2 text-xs"
        aria-label={`Add to ${label}`}
        onClick={() => change([...items, initialOf(item, true) ?? emptyOf(item)])}
      >
        Add
      </Button>
    </fieldset>
  );
}

function JsonValue(props: ValueProps) {
  const { label, hint, error, required } = common(props);
  return (
    <JsonField
      label={label}
      hint={hint ?? 'A JSON value.'}
      error={error}
      required={required}
      value={props.value}
      onChange={props.onChange}
    />
  );
}

interface JsonFieldProps {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  required?: boolean;
  rows?: number;
  value: unknown;
  /** Receives undefined if the field is empty. Text that is not JSON stays in the field and is not reported. */
  onChange(value: unknown): void;
  /** Returns whether the text can be sent. */
  onValid?(valid: boolean): void;
}

/** A field for any JSON value. */
export function JsonField({ label, hint, error, required, rows = 3, value, onChange, onValid }: JsonFieldProps) {
  const [typed, setTyped] = useState<string>();
  const invalid = typed !== undefined && typed.trim() !== '' && !isJson(typed);
  const text = typed ?? (value === undefined ? '' : JSON.stringify(value, null, 2));
  return (
    <Field label={label} hint={hint} required={required ?? false} error={invalid ? 'This is not valid JSON.' : error}>
      {(described) => (
        <textarea
          {...described}
          rows={rows}
          spellCheck={false}
          className={`${INPUT} py-1.5 font-mono text-xs`}
          value={text}
          onChange={({ target }) => {
            setTyped(target.value);
            const empty = target.value.trim() === '';
            const valid = empty || isJson(target.value);
            onValid?.(valid);
            if (valid) onChange(empty ? undefined : (JSON.parse(target.value) as unknown));
          }}
        />
      )}
    </Field>
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
