import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useMe } from '../api/me.tsx';
import { Button, Problem } from './controls.tsx';
import { Dialog } from './dialog.tsx';

export interface Act {
  /** The title of the dialog: what the act does. */
  title: string;
  /** The verb on the button, with the number of tasks. */
  verb: string;
  /** The effect: what happens, and what runs again. */
  preview: ReactNode;
  danger?: boolean;
  /** Whether the act must have a reason. */
  needsReason?: boolean;
  /** Whether the act records neither a name nor a reason. */
  silent?: boolean;
  /** The label of a field for JSON that the act sends, which begins as `{}`. */
  json?: string;
  run(said: { reason: string; by: string }, json: unknown): Promise<unknown>;
}

const NAME = 'tasker.name';

/** The reason of an act and the name of the person, as typed. */
export interface Operator {
  /** The name of the credential, under which the act is recorded. */
  subject: string | null;
  reason: string;
  by: string;
  setReason(reason: string): void;
  setBy(by: string): void;
  said(): { reason: string; by: string };
  /** Keeps the name for the next act. */
  remember(): void;
}

export function useOperator(): Operator {
  const { subject } = useMe();
  const [reason, setReason] = useState('');
  const [by, setBy] = useState(() => localStorage.getItem(NAME) ?? '');
  return {
    subject,
    reason,
    by,
    setReason,
    setBy,
    said: () => ({ reason: reason.trim() || 'from the web page', by: subject ?? (by.trim() || 'web') }),
    remember: () => localStorage.setItem(NAME, by.trim()),
  };
}

/** The fields for the reason and the name, which the audit shows. */
export function OperatorFields({ operator, needsReason }: { operator: Operator; needsReason?: boolean }) {
  const { subject, reason, by, setReason, setBy } = operator;
  return (
    <>
      <div className={`mt-4 grid gap-3 ${subject === null ? 'grid-cols-[1fr_160px]' : ''}`}>
        <Field label={needsReason ? 'Reason' : 'Reason (optional)'} value={reason} onChange={setReason} />
        {subject === null && <Field label="Your name" value={by} onChange={setBy} placeholder="web" />}
      </div>
      <p className="mt-2 text-xs text-faint">The audit shows {subject ?? 'the name'} and the reason.</p>
    </>
  );
}

/** Asks for confirmation of an act: shows its effect, and the name for the audit. */
export function ActDialog({ act, onClose }: { act: Act; onClose(): void }) {
  const queries = useQueryClient();
  const operator = useOperator();
  const [json, setJson] = useState('{}');
  const parsed = parsedJson(json);
  const { mutate, isPending, error } = useMutation({
    mutationFn: () => act.run(operator.said(), parsed?.value),
    onSuccess: async () => {
      operator.remember();
      onClose();
      await queries.invalidateQueries();
    },
  });
  const incomplete = (act.needsReason === true && operator.reason.trim() === '') || parsed === undefined;
  return (
    <Dialog title={act.title} onClose={onClose}>
      <form
        className="p-5"
        onSubmit={(event) => {
          event.preventDefault();
          mutate();
        }}
      >
        <h2 className="text-base font-semibold">{act.title}</h2>
        <div className="mt-2 text-sm text-soft">{act.preview}</div>
        {act.json && (
          <label className="mt-4 block text-xs text-soft">
            {act.json}
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
        {!act.silent && <OperatorFields operator={operator} needsReason={act.needsReason ?? false} />}
        {error && (
          <div className="mt-3">
            <Problem error={error} />
          </div>
        )}
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={onClose}>Keep as it is</Button>
          <Button type="submit" look={act.danger ? 'danger' : 'primary'} disabled={isPending || incomplete}>
            {act.verb}
          </Button>
        </div>
      </form>
    </Dialog>
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

interface FieldProps {
  label: string;
  value: string;
  placeholder?: string;
  onChange(value: string): void;
}

function Field({ label, value, placeholder, onChange }: FieldProps) {
  return (
    <label className="block text-xs text-soft">
      {label}
      <input
        className="mt-1 block h-8 w-full rounded-md border border-edge bg-surface px-2 text-sm text-ink placeholder:text-faint"
        value={value}
        placeholder={placeholder}
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}
