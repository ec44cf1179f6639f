import { Link } from 'react-router';
import { api, pathOf } from '../api/client.ts';
import type { Approval } from '../api/types.ts';
import { useLinks, useNamespace } from '../frame/namespace.ts';
import { Code, Empty, Heading, Panel } from '../parts/controls.tsx';
import { useList } from '../parts/list-screen.tsx';
import { ReadProblem } from '../parts/read-problem.tsx';
import { HUES, StateShape } from '../parts/state.tsx';
import { Id, Time } from '../parts/text.tsx';
import { counted } from '../parts/words.ts';
import { ApprovalActs } from './approval/approval-acts.tsx';
import { Votes } from './approval/vote-dialog.tsx';

const MOST = 200;

export default function Approvals() {
  const namespace = useNamespace();
  const { rows, error } = useList({ method: api.approvals.list, rows: 'approvals', query: { namespace, limit: MOST } });
  return (
    <>
      <Heading title="Approvals" answer={rows ? answerOf(rows) : '\u00a0'} />
      <ReadProblem error={error} hasData={rows !== undefined} />
      {rows && (
        <Panel>
          {rows.length > 0 ? (
            <ul aria-label="Approvals">
              {rows.map((approval) => (
                <Item key={`${approval.task_uuid} ${approval.step}`} approval={approval} />
              ))}
            </ul>
          ) : (
            <Empty title="Nothing waits for a decision">
              A step with <Code>type: approval</Code> in a template waits here until people have voted.
            </Empty>
          )}
        </Panel>
      )}
    </>
  );
}

function answerOf(approvals: readonly Approval[]): string {
  if (approvals.length === 0) return 'Nothing waits for a decision';
  const more = approvals.length === MOST ? 'at least ' : '';
  return `${more}${counted(approvals.length, 'task')} waiting for a decision, oldest first`;
}

function Item({ approval }: { approval: Approval }) {
  const { task_uuid: uuid, step, title, namespace, name, assignees, quorum, approvals, since, until } = approval;
  const link = useLinks();
  return (
    <li className="flex flex-wrap items-start gap-x-6 gap-y-3 border-b border-line px-4 py-3 last:border-b-0">
      <div className="min-w-0 grow basis-[320px]">
        <Link
          className="font-medium break-words hover:text-accent hover:underline"
          to={link(pathOf`tasks/${uuid}`, { step })}
        >
          {title}
        </Link>
        {approval.paused && (
          <span className={`ml-2 inline-flex items-center gap-1 text-xs ${HUES.slate}`}>
            <StateShape state="paused" size={12} />
            Paused
          </span>
        )}
        <p className="mt-0.5 text-sm break-words text-soft">
          <span className="text-faint">{namespace}/</span>
          {name} · {step} · <Id id={uuid} what="task id" /> · since <Time at={since} />
          {until && (
            <>
              {' '}
              · until <Time at={until} />
            </>
          )}
          {approval.escalated_at && <span className="text-s-amber"> · escalated</span>}
        </p>
        <p className="mt-0.5 text-sm text-soft">
          <span className="tabular-nums">
            {approvals} of {counted(quorum, 'approval')}
          </span>{' '}
          · {assignees.length > 0 ? `may vote: ${assignees.join(', ')}` : 'everyone may vote'}
        </p>
        {approval.votes.length > 0 && (
          <div className="mt-1.5 border-l-2 border-line pl-3">
            <Votes votes={approval.votes} />
          </div>
        )}
      </div>
      <ApprovalActs approval={approval} />
    </li>
  );
}
