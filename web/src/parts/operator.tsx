import { useState } from 'react';
import { useMe } from '../api/me.tsx';
import type { Said } from '../api/types.ts';
import { useDraft } from './draft.ts';

const NAME = 'tasker.name';

/** The reason of an action and the name of the person, as they are typed. */
export interface Operator {
  /** The name of the credential, under which actions are then recorded. */
  subject: string | null;
  reason: string;
  by: string;
  setReason(reason: string): void;
  setBy(by: string): void;
  said(): Said;
  /** Keeps the name for the next action, and clears the reason. */
  done(): void;
}

/**
 * Keeps the reason of an action until it is sent, even if the page is reloaded. `act` names the action on this screen.
 */
export function useOperator(act = ''): Operator {
  const { subject } = useMe();
  const [reason, setReason, forget] = useDraft(`reason ${location.pathname} ${act}`, '');
  const [by, setBy] = useState(() => localStorage.getItem(NAME) ?? '');
  return {
    subject,
    reason,
    by,
    setReason,
    setBy,
    said: () => ({ reason: reason.trim() || 'from the web page', by: subject ?? (by.trim() || 'web') }),
    done: () => {
      localStorage.setItem(NAME, by.trim());
      forget();
    },
  };
}

/** The fields for the reason and the name, which the audit shows. */
export function OperatorFields({ operator, needsReason }: { operator: Operator; needsReason?: boolean }) {
  const { subject, reason, by, setReason, setBy } = operator;
  return (
    <>
      <div className={`mt-4 grid gap-3 ${subject === null ? 'sm:grid-cols-[1fr_160px]' : ''}`}>
        <Field label={needsReason ? 'Reason' : 'Reason (optional)'} value={reason} onChange={setReason} />
        {subject === null && <Field label="Your name" value={by} onChange={setBy} placeholder="web" />}
      </div>
      <p className="mt-2 text-xs text-faint">The audit shows {subject ?? 'the name'} and the reason.</p>
    </>
  );
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
