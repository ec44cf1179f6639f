import { useState } from 'react';
import { api } from '../../api/client.ts';
import { useMe } from '../../api/me.tsx';
import type { Approval } from '../../api/types.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { ReassignDialog } from './reassign-dialog.tsx';
import { VoteDialog } from './vote-dialog.tsx';

/** The buttons to approve, reject and reassign. */
export function ApprovalActs({ approval }: { approval: Approval }) {
  const [open, setOpen] = useState<'approve' | 'reject' | 'reassign'>();
  const { subject } = useMe();
  const close = () => setOpen(undefined);
  const { title, votes } = approval;
  const own = votes.find(({ by }) => by === subject)?.decision;
  const { vote, reassign } = api.approvals;
  return (
    <div className="flex flex-wrap items-center gap-2">
      {own && <span className="text-xs text-faint">you voted to {own}</span>}
      <ActButton method={vote} target={title} look="primary" onClick={() => setOpen('approve')}>
        Approve
      </ActButton>
      <ActButton method={vote} target={title} look="danger" onClick={() => setOpen('reject')}>
        Reject
      </ActButton>
      <ActButton method={reassign} target={title} look="quiet" onClick={() => setOpen('reassign')}>
        Reassign
      </ActButton>
      {open === 'reassign' && <ReassignDialog approval={approval} onClose={close} />}
      {(open === 'approve' || open === 'reject') && <VoteDialog approval={approval} decision={open} onClose={close} />}
    </div>
  );
}
