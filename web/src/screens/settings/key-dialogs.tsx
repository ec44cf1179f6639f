import { useState } from 'react';
import { PERMISSIONS, ROLES } from '../../../../src/model/permissions.ts';
import { api } from '../../api/client.ts';
import { useMe } from '../../api/me.tsx';
import type { ApiKey, CreatedApiKey } from '../../api/types.ts';
import { Button } from '../../parts/controls.tsx';
import { useCopy } from '../../parts/copy.ts';
import { useDraft } from '../../parts/draft.ts';
import { ChoiceField, TextField } from '../../parts/form/field.tsx';
import { FormDialog } from '../../parts/form/form-dialog.tsx';

const DAY = 86_400;
const EXPIRIES = [
  ['', 'Never'],
  [String(30 * DAY), 'In 30 days'],
  [String(90 * DAY), 'In 90 days'],
  [String(365 * DAY), 'In a year'],
] as const;
const OVERLAPS = [
  ['0', 'Immediately'],
  ['3600', 'In an hour'],
  [String(DAY), 'In a day'],
  [String(7 * DAY), 'In 7 days'],
] as const;

interface CreateKeyDialogProps {
  /** Whether this is the first key. Once it exists, every request needs one. */
  first: boolean;
  onClose(): void;
  onMade(made: CreatedApiKey): void;
}

export function CreateKeyDialog({ first, onClose, onMade }: CreateKeyDialogProps) {
  const [draft, setDraft, forget] = useDraft('key', {
    name: '',
    role: first ? 'admin' : 'viewer',
    permissions: [] as string[],
    namespaces: '',
    expires: '',
  });
  const { permissions: own } = useMe();
  const change = (part: Partial<typeof draft>) => setDraft({ ...draft, ...part });
  const { name, role, permissions, namespaces, expires } = draft;
  const only = namespaces
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);
  return (
    <FormDialog
      title="Create a key"
      verb="Create the key"
      complete={name.trim() !== '' && (role !== '' || permissions.length > 0)}
      onClose={onClose}
      send={async (said) => {
        const made = await api.credentials.createKey({
          ...said,
          name: name.trim(),
          ...(role === '' ? { permissions } : { roles: [role] }),
          ...(only.length > 0 && { namespaces: only }),
          ...(expires !== '' && { expires_in_seconds: Number(expires) }),
        });
        forget();
        onMade(made);
      }}
    >
      {first && (
        <p className="text-s-amber">
          After the first key is created, every request to this server needs a key, and so does this page. Give the
          first key the role admin, and keep it.
        </p>
      )}
      <TextField
        label="Name"
        required
        hint="Actions with the key are recorded under it."
        autoComplete="off"
        value={name}
        onChange={(text) => change({ name: text })}
      />
      <ChoiceField
        label="Role"
        value={role}
        options={[...ROLES.map((one) => [one, one] as const), ['', 'Single permissions']]}
        onChange={(text) => change({ role: text })}
      />
      {role === '' && (
        <fieldset>
          <legend className="mb-1 text-xs font-medium text-soft">Permissions</legend>
          <div className="grid grid-cols-1 gap-x-4 sm:grid-cols-2">
            {PERMISSIONS.filter((permission) => own === null || own.includes(permission)).map((permission) => (
              <label key={permission} className="flex items-center gap-1.5 font-mono text-xs">
                <input
                  type="checkbox"
                  checked={permissions.includes(permission)}
                  onChange={({ target }) =>
                    change({
                      permissions: target.checked
                        ? [...permissions, permission]
                        : permissions.filter((one) => one !== permission),
                    })
                  }
                />
                {permission}
              </label>
            ))}
          </div>
        </fieldset>
      )}
      <TextField
        label="Namespaces"
        hint="Separated by commas. Empty means all."
        value={namespaces}
        onChange={(text) => change({ namespaces: text })}
      />
      <ChoiceField label="Expires" value={expires} options={EXPIRIES} onChange={(text) => change({ expires: text })} />
    </FormDialog>
  );
}

interface RotateKeyDialogProps {
  apiKey: ApiKey;
  onClose(): void;
  onMade(made: CreatedApiKey): void;
}

export function RotateKeyDialog({ apiKey: { name, prefix }, onClose, onMade }: RotateKeyDialogProps) {
  const [overlap, setOverlap] = useState(String(DAY));
  return (
    <FormDialog
      title={`Rotate the key ${name}`}
      verb="Rotate the key"
      onClose={onClose}
      send={async (said) =>
        onMade(await api.credentials.rotateKey(prefix, { ...said, overlap_seconds: Number(overlap) }))
      }
    >
      <p className="text-soft">A new key gets the same name and rights.</p>
      <ChoiceField label="The old key ends" value={overlap} options={OVERLAPS} onChange={setOverlap} />
    </FormDialog>
  );
}

/** A key that was just created. It cannot be shown again, so it stays visible until the user closes it. */
export function NewKey({
  made: { name, key },
  onClose,
}: {
  made: Pick<CreatedApiKey, 'name' | 'key'>;
  onClose(): void;
}) {
  const { copied, copy } = useCopy(key);
  return (
    <section aria-label="New key" className="mb-4 rounded-lg border border-s-green bg-t-green p-4">
      <h2 className="text-sm font-semibold">The key {name}</h2>
      <p className="mt-0.5 text-sm text-soft">Copy it now. It is not stored, and cannot be shown again.</p>
      <div className="mt-2 flex flex-wrap items-center gap-2">
        <code className="min-w-0 rounded border border-line bg-surface px-2 py-1.5 font-mono text-xs break-all select-all">
          {key}
        </code>
        <Button onClick={copy}>{copied ? 'Copied' : 'Copy the key'}</Button>
        <Button look="quiet" onClick={onClose}>
          I have copied it
        </Button>
      </div>
    </section>
  );
}
