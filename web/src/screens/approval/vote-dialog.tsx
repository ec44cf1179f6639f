import { useState } from 'react';
import { ApiError, ask, pathOf } from '../../api/client.ts';
import { useDraft } from '../../parts/draft.ts';
import { FormDialog } from '../../parts/form/form-dialog.tsx';
import { initialOf, type Schema, shapeOf, violationsOf } from '../../parts/form/json-schema.ts';
import { SchemaForm } from '../../parts/form/schema-form.tsx';
import { Time } from '../../parts/text.tsx';
import { counted } from '../../parts/words.ts';

interface Vote {
  by: string;
  decision: 'approve' | 'reject';
  at: string;
  comment: string | null;
  form: unknown;
  as: string | null;
}

export interface Approval {
  task_uuid: string;
  step: string;
  namespace: string;
  name: string;
  version: string;
  title: string;
  assignees: string[];
  form: Schema | null;
  quorum: number;
  reject_quorum: number;
  approvals: number;
  rejections: number;
  votes: Vote[];
  since: string;
  until: string | null;
  escalated_at: string | null;
  paused: boolean;
}

interface VoteDialogProps {
  approval: Approval;
  decision: 'approve' | 'reject';
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
          await ask(pathOf`v1/approvals/${uuid}/${step}/vote`, {
            method: 'POST',
            body: { decision, comment: reason, by, ...(withForm && { form: value ?? {} }) },
          });
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
