import { useQuery } from '@tanstack/react-query';
import { api } from '../../../api/client.ts';
import { useLacking } from '../../../api/me.tsx';
import { usePrecaution } from '../../../api/polling.ts';
import type { Approval, StepResponse } from '../../../api/types.ts';
import { counted } from '../../../parts/words.ts';
import { ApprovalActs } from '../../approval/approval-acts.tsx';
import { Votes } from '../../approval/vote-dialog.tsx';

/** Reads the approval for which a step waits, if the user may see it. */
export function useApproval({ task_uuid: uuid, name }: StepResponse): Approval | undefined {
  const lacking = useLacking()(api.approvals.get);
  const { data } = useQuery({
    queryKey: ['approvals', uuid, name],
    queryFn: ({ signal }) => api.approvals.get(uuid, name, { signal }),
    enabled: lacking === undefined,
    refetchInterval: usePrecaution(),
  });
  return data;
}

/** The votes on a step that waits for an approval, with the actions that decide it. */
export function StepApproval({ step }: { step: StepResponse }) {
  const data = useApproval(step);
  if (!data) return null;
  const { title, approvals, quorum, votes } = data;
  return (
    <section aria-label="Approval" className="border-b border-line px-4 py-3 text-sm">
      <p className="font-medium break-words">{title}</p>
      <p className="mt-0.5 mb-2 text-soft tabular-nums">
        {approvals} of {counted(quorum, 'approval')}
      </p>
      <Votes votes={votes} />
      <div className="mt-2">
        <ApprovalActs approval={data} />
      </div>
    </section>
  );
}
