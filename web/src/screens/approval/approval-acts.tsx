import { useState } from 'react';
import { useMe } from '../../api/me.tsx';
import { ActButton } from '../../parts/act-button.tsx';
import { ReassignDialog } from './reassign-dialog.tsx';
import { type Approval, VoteDialog } from './vote-dialog.tsx';

/** The buttons to approve, reject and reassign. */
export function ApprovalActs({ approval }: { approval: Approval }) {
  const [open, setOpen] = useState<'approve' | 'reject' | 'reassign'>();
  const { subject } = useMe();
  const close = () => setOpen(undefined);
  const { title, votes } = approval;
  const own = votes.find(({ by }) => by === subject)?.decision;
  const vote = 'POST /v1/approvals/{task_uuid}/{step}/vote';
  return (
    <div className="flex flex-wrap items-center gap-2">
      {own && <span className="text-xs text-faint">you voted to {own}</span>}
      <ActButton route={vote} target={title} look="primary" onClick={() => setOpen('approve')}>
        Approve
      </ActButton>
      <ActButton route={vote} target={title} look="danger" onClick={() => setOpen('reject')}>
        Reject
      </ActButton>
      <ActButton
        route="POST /v1/approvals/{task_uuid}/{step}/reassign"
        target={title}
        look="quiet"
        onClick={() => setOpen('reassign')}
      >
        Reassign
      </ActButton>
      {open === 'reassign' && <ReassignDialog approval={approval} onClose={close} />}
      {(open === 'approve' || open === 'reject') && <VoteDialog approval={approval} decision={open} onClose={close} />}
    </div>
  );
}
