import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { type Operator, OperatorFields, useOperator } from '../act-dialog.tsx';
import { Button, Problem } from '../controls.tsx';
import { Dialog } from '../dialog.tsx';

interface FormDialogProps {
  /** The heading, which names the act. */
  title: string;
  /** The verb of its button. */
  verb: string;
  danger?: boolean;
  /** Whether the form can be sent. Default true. */
  complete?: boolean;
  /** Whether the act keeps a reason and a name. Default true. */
  asksWho?: boolean;
  children: ReactNode;
  /** Sends the form. The dialog closes when it has succeeded. */
  send(said: ReturnType<Operator['said']>): Promise<unknown>;
  onClose(): void;
  /** Reads the error of the server. Returns whether it is shown at the fields. */
  onError?(error: Error): boolean;
  wide?: boolean;
}

/** A dialog with fields for an act. */
export function FormDialog(props: FormDialogProps) {
  const { title, verb, danger, complete = true, asksWho = true, children, send, onClose, onError, wide } = props;
  const queries = useQueryClient();
  const operator = useOperator();
  const { mutate, isPending, error } = useMutation({
    mutationFn: () => send(operator.said()),
    onSuccess: async () => {
      operator.remember();
      onClose();
      await queries.invalidateQueries();
    },
  });
  const shown = error !== null && (onError?.(error) ?? false);
  return (
    <Dialog title={title} onClose={onClose} className={`mt-[8vh] ${wide ? 'w-[640px]' : 'w-[480px]'}`}>
      <form
        noValidate
        className="p-5"
        onSubmit={(event) => {
          event.preventDefault();
          if (complete && !isPending) mutate();
        }}
      >
        <h2 className="text-base font-semibold break-words">{title}</h2>
        <div className="mt-3 grid max-h-[60vh] gap-3 overflow-y-auto px-px pb-px text-sm">{children}</div>
        {asksWho && <OperatorFields operator={operator} />}
        {error && !shown && (
          <div className="mt-3">
            <Problem error={error} />
          </div>
        )}
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={onClose}>Keep as it is</Button>
          <Button type="submit" look={danger ? 'danger' : 'primary'} disabled={isPending || !complete}>
            {verb}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
