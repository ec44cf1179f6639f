import { useState } from 'react';
import { api } from '../../api/client.ts';
import type { Approval } from '../../api/types.ts';
import { ChoiceField, TextField } from '../../parts/form/field.tsx';
import { FormDialog } from '../../parts/form/form-dialog.tsx';

/** Changes the assignees of an approval. */
export function ReassignDialog({ approval, onClose }: { approval: Approval; onClose(): void }) {
  const { task_uuid: uuid, step, title, assignees, votes } = approval;
  const [whom, setWhom] = useState<'some' | 'everyone'>(assignees.length > 0 ? 'some' : 'everyone');
  const [names, setNames] = useState(assignees.join(', '));
  const to = names
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  return (
    <FormDialog
      title={`Reassign "${title}"`}
      verb="Reassign"
      complete={whom === 'everyone' || to.length > 0}
      onClose={onClose}
      send={(said) =>
        api.approvals.reassign(uuid, step, { ...said, ...(whom === 'everyone' ? { everyone: true } : { to }) })
      }
    >
      <ChoiceField
        label="Who may vote"
        value={whom}
        options={[
          ['some', 'These users and roles'],
          ['everyone', 'Everyone with the permission'],
        ]}
        onChange={(value) => setWhom(value as typeof whom)}
      />
      {whom === 'some' && (
        <TextField
          label="Users and roles"
          required
          hint="Separated by commas."
          autoComplete="off"
          value={names}
          onChange={setNames}
        />
      )}
      {votes.length > 0 && <p className="text-s-amber">Votes of people who are no longer assignees are dropped.</p>}
    </FormDialog>
  );
}
