import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Said } from '../../api/types.ts';
import { Button, Code, Problem } from '../controls.tsx';
import { Dialog } from '../dialog.tsx';
import { OperatorFields, useOperator } from '../operator.tsx';
import { Terminal } from '../terminal.tsx';

interface FormDialogProps {
  /** The heading, which names the action. */
  title: string;
  /** The verb of its button. */
  verb: string;
  danger?: boolean | undefined;
  /** Whether the form can be sent. Default true. */
  complete?: boolean;
  /** Whether the action must have a reason. Default false. */
  needsReason?: boolean;
  /** The command that does the same. */
  command?: string;
  /** The effect of the action, and its fields. */
  children: ReactNode;
  /** Sends the form. The dialog closes when it has succeeded. */
  send(said: Said): Promise<unknown>;
  onClose(): void;
  /** Reads the error of the server. Returns whether it is shown at the fields. */
  onError?(error: Error): boolean;
  wide?: boolean;
}

/** Asks before an action: shows its effect, its fields, and the name for the audit. */
export function FormDialog(props: FormDialogProps) {
  const { title, verb, danger, children, send, onClose, onError, wide, command } = props;
  const { complete = true, needsReason = false } = props;
  const queries = useQueryClient();
  const operator = useOperator(title);
  const { mutate, isPending, error } = useMutation({
    mutationFn: () => send(operator.said()),
    onSuccess: async () => {
      operator.done();
      onClose();
      await queries.invalidateQueries();
    },
  });
  const shown = error !== null && (onError?.(error) ?? false);
  const ready = complete && !isPending && !(needsReason && operator.reason.trim() === '');
  return (
    <Dialog title={title} onClose={onClose} className={wide ? 'w-[600px]' : 'w-[480px]'}>
      <form
        noValidate
        className="p-5"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) mutate();
        }}
      >
        <h2 className="text-base font-semibold break-words">{title}</h2>
        <div className="-mx-1 mt-2 grid max-h-[56vh] gap-3 overflow-y-auto px-1 py-1 text-sm">{children}</div>
        <OperatorFields operator={operator} needsReason={needsReason} />
        {command !== undefined && (
          <Terminal>
            <Code>{command}</Code>
          </Terminal>
        )}
        {error && !shown && (
          <div className="mt-3">
            <Problem error={error} />
          </div>
        )}
        <div className="mt-5 flex flex-wrap justify-end gap-2">
          <Button onClick={onClose}>Keep as it is</Button>
          <Button type="submit" look={danger ? 'danger' : 'primary'} disabled={!ready}>
            {verb}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
