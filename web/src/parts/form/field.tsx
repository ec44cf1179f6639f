import { type ComponentProps, type ReactNode, useId } from 'react';

export const INPUT =
  'block w-full rounded-md border border-edge bg-surface px-2 text-sm text-ink placeholder:text-faint aria-invalid:border-s-red';

interface Described {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': boolean | undefined;
}

interface FieldProps {
  label: string;
  required?: boolean;
  hint?: ReactNode;
  error?: string | undefined;
  /** The input, with the properties that tie it to its label and its error. */
  children(described: Described): ReactNode;
}

/** A labeled input with a description and an error. */
export function Field({ label, required, hint, error, children }: FieldProps) {
  const id = useId();
  const note = `${id}-note`;
  return (
    <div>
      <label htmlFor={id} className="mb-1 block text-xs font-medium text-soft">
        {label}
        {required && (
          <span aria-hidden="true" title="required" className="text-s-red">
            {' *'}
          </span>
        )}
      </label>
      {children({
        id,
        'aria-describedby': hint || error ? note : undefined,
        'aria-invalid': error === undefined ? undefined : true,
      })}
      {(hint || error) && (
        <p id={note} className="mt-1 text-xs break-words text-faint">
          {error && <span className="block text-s-red">{error}</span>}
          {hint}
        </p>
      )}
    </div>
  );
}

interface TextFieldProps extends Omit<ComponentProps<'input'>, 'value' | 'onChange'> {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  value: string;
  onChange(value: string): void;
}

export function TextField({ label, hint, error, required, value, onChange, ...rest }: TextFieldProps) {
  return (
    <Field label={label} hint={hint} error={error} required={required ?? false}>
      {(described) => (
        <input
          {...rest}
          {...described}
          className={`${INPUT} h-8`}
          value={value}
          onChange={({ target }) => onChange(target.value)}
        />
      )}
    </Field>
  );
}

interface ChoiceFieldProps {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  required?: boolean;
  value: string;
  options: readonly (readonly [value: string, name: string])[];
  onChange(value: string): void;
}

export function ChoiceField({ label, hint, error, required, value, options, onChange }: ChoiceFieldProps) {
  return (
    <Field label={label} hint={hint} error={error} required={required ?? false}>
      {(described) => (
        <select
          {...described}
          className={`${INPUT} h-8`}
          value={value}
          onChange={({ target }) => onChange(target.value)}
        >
          {options.map(([key, name]) => (
            <option key={key} value={key}>
              {name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
