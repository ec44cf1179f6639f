import { useState } from 'react';
import { ApiError, api } from '../../api/client.ts';
import type { Approval, Vote } from '../../api/types.ts';
import { useDraft } from '../../parts/draft.ts';
import { FormDialog } from '../../parts/form/form-dialog.tsx';
import { initialOf, shapeOf, violationsOf } from '../../parts/form/json-schema.ts';
import { SchemaForm } from '../../parts/form/schema-form.tsx';
import { Time } from '../../parts/text.tsx';
import { counted } from '../../parts/words.ts';

interface VoteDialogProps {
  approval: Approval;
  decision: Vote['decision'];
  onClose(): void;
}

/** Votes on an approval, with the form of the template. */
export function VoteDialog({ approval, decision, onClose }: VoteDialogProps) {
  const { task_uuid: uuid, step, title, form, quorum, reject_quorum: rejectQuorum, approvals, rejections } = approval;
  const beginning = form && decision === 'approve' ? initialOf(shapeOf(form), true) : undefined;
  const [value, setValue, forget] = useDraft(`vote ${uuid} ${step} ${decision}`, beginning);
  const [valid, setValid] = useState(true);
  const [violations, setViolations] = useState<ReturnType<typeof violationsOf>>([]);
  const verb = decision === 'approve' ? 'Approve' : 'Reject';
  const missing = decision === 'approve' ? quorum - approvals : rejectQuorum - rejections;
  const withForm = form !== null && decision === 'approve';
  return (
    <FormDialog
      title={`${verb} "${title}"`}
      verb={verb}
      danger={decision === 'reject'}
      complete={valid}
      wide={withForm}
      onClose={onClose}
      onError={(error) => error instanceof ApiError && violationsOf(error.details).length > 0}
      send={async ({ reason, by }) => {
        try {
          const filled = withForm && { form: value ?? {} };
          await api.approvals.vote(uuid, step, { decision, comment: reason, by, ...filled });
          forget();
        } catch (error) {
          setViolations(error instanceof ApiError ? violationsOf(error.details) : []);
          throw error;
        }
      }}
    >
      <p className="text-soft">
        {missing <= 1
          ? `Your vote decides: the step ends as ${decision === 'approve' ? 'approved' : 'rejected'}, and the task continues with this result.`
          : `Your vote counts. ${counted(missing - 1, 'more vote')} ${missing === 2 ? 'is' : 'are'} needed to decide.`}
      </p>
      <Votes votes={approval.votes} />
      {withForm && (
        <SchemaForm
          schema={form}
          label="Form"
          value={value}
          violations={violations}
          onChange={setValue}
          onValid={setValid}
        />
      )}
    </FormDialog>
  );
}

/** The votes so far. */
export function Votes({ votes }: { votes: readonly Vote[] }) {
  if (votes.length === 0) return null;
  return (
    <ul aria-label="Votes" className="text-sm">
      {votes.map(({ by, decision, at, comment, as }) => (
        <li key={by} className="flex flex-wrap items-baseline gap-x-2">
          <span className={decision === 'approve' ? 'text-s-green' : 'text-s-red'}>
            {decision === 'approve' ? 'approved' : 'rejected'}
          </span>
          <span>
            by <span className="font-medium">{by}</span>
            {as && as !== by && <span className="text-faint"> for {as}</span>}
          </span>
          <span className="text-faint">
            <Time at={at} />
          </span>
          {comment && <span className="min-w-0 break-words text-soft">{comment}</span>}
        </li>
      ))}
    </ul>
  );
}
