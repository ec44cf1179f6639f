import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Said } from '../../../api/acts.ts';
import { OperatorFields, useOperator } from '../../../parts/act-dialog.tsx';
import { Button, Code, Problem } from '../../../parts/controls.tsx';
import { Dialog } from '../../../parts/dialog.tsx';

interface OperatorDialogProps {
  title: string;
  verb: string;
  danger?: boolean;
  needsReason?: boolean;
  /** Whether it can be sent. */
  isReady: boolean;
  /** The command that does the same. */
  command: string;
  children: ReactNode;
  send(said: Said): Promise<unknown>;
  onClose(): void;
}

/** A dialog for an act with its own preview or input. */
export function OperatorDialog(props: OperatorDialogProps) {
  const { title, verb, danger, needsReason = false, isReady, command, children, send, onClose } = props;
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
  const canSend = isReady && !isPending && !(needsReason && operator.reason.trim() === '');
  return (
    <Dialog title={title} onClose={onClose} className="w-[560px]">
      <form
        noValidate
        className="p-5"
        onSubmit={(event) => {
          event.preventDefault();
          if (canSend) mutate();
        }}
      >
        <h2 className="text-base font-semibold break-words">{title}</h2>
        {children}
        <OperatorFields operator={operator} needsReason={needsReason} />
        <p className="mt-2 text-xs break-all text-faint">
          In a terminal: <Code>{command}</Code>
        </p>
        {error && (
          <div className="mt-3">
            <Problem error={error} />
          </div>
        )}
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={onClose}>Keep as it is</Button>
          <Button type="submit" look={danger ? 'danger' : 'primary'} disabled={!canSend}>
            {verb}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
