import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { api, previewBulkAct } from '../api/client.ts';
import { useLacking } from '../api/me.tsx';
import type { Method } from '../api/routes.ts';
import type { BulkActPreview, BulkActRequest, BulkReport } from '../api/types.ts';
import { Button, Code, Problem } from './controls.tsx';
import { Dialog } from './dialog.tsx';
import { OperatorFields, useOperator } from './operator.tsx';
import { State } from './state.tsx';
import { counted, numberText, runAgain } from './words.ts';

/** An action on many tasks. */
export interface BulkAct {
  action: keyof typeof ACTIONS;
  /** A description of the tasks, such as `all tasks of this cause`. */
  what: string;
  /** Each target is a separate bulk action. */
  targets: readonly Pick<BulkActRequest, 'filter' | 'ids'>[];
}

const PROGRESS_MS = 1_000;
const EXAMPLES = 4;
/** Actions that are hard to undo ask for a reason. `method`: the action on one task, which needs the same permission. */
export const ACTIONS = {
  task_retry: { verb: 'Retry', done: 'retried', method: api.tasks.retry },
  task_cancel: { verb: 'Cancel', done: 'cancelled', method: api.tasks.cancel, danger: true },
  task_resolve: { verb: 'Resolve', done: 'resolved', method: api.tasks.resolve, needsReason: true },
  task_delete: { verb: 'Delete', done: 'deleted', method: api.tasks.delete, danger: true, needsReason: true },
  task_redrive: { verb: 'Redrive', done: 'redriven', method: api.deadLetters.redrive },
} as const satisfies Partial<
  Record<
    BulkActRequest['action'],
    { verb: string; done: string; method: Method; danger?: boolean; needsReason?: boolean }
  >
>;

/** Returns the permission that the user lacks for a bulk action. */
export function useLackingBulk(): (action: keyof typeof ACTIONS) => string | undefined {
  const lacking = useLacking();
  return (action) => lacking(api.bulkActs.start) ?? lacking(ACTIONS[action].method);
}

const sum = <Row,>(rows: readonly Row[], number: (row: Row) => number) =>
  rows.reduce((total, row) => total + number(row), 0);

/** Shows what a bulk action would do, starts it, and follows it. */
export function BulkDialog({ act, onClose }: { act: BulkAct; onClose(): void }) {
  const { action, targets, what } = act;
  const { verb, ...kind } = ACTIONS[action];
  const queries = useQueryClient();
  const operator = useOperator(`${verb} ${what}`);
  const [started, setStarted] = useState<number[]>();
  const preview = useQuery({
    queryKey: ['bulk-preview', action, targets],
    queryFn: () => Promise.all(targets.map((target) => previewBulkAct({ action, ...target }))),
    staleTime: 0,
    gcTime: 0,
  });
  const start = useMutation({
    mutationFn: () =>
      Promise.all(targets.map((target) => api.bulkActs.start({ action, ...target, ...operator.said() }))),
    onSuccess: (acts) => {
      operator.done();
      setStarted(acts.map(({ id }) => id));
    },
  });
  const title = `${verb} ${what}`;
  const close = () => {
    onClose();
    void queries.invalidateQueries();
  };
  const error = preview.error ?? start.error;
  const matched = preview.data && sum(preview.data, (one) => one.matched);
  const needsReason = 'needsReason' in kind;
  const incomplete = !matched || (needsReason && operator.reason.trim() === '');
  return (
    <Dialog title={title} onClose={close} className="w-[560px]">
      <form
        className="p-5"
        onSubmit={(event) => {
          event.preventDefault();
          start.mutate();
        }}
      >
        <h2 className="text-base font-semibold">{title}</h2>
        {started === undefined ? (
          <>
            <div className="mt-2 min-h-10 text-sm text-soft" aria-live="polite">
              {preview.isPending
                ? 'Counting the tasks…'
                : preview.data && <Effect action={action} previews={preview.data} />}
            </div>
            <OperatorFields operator={operator} needsReason={needsReason} />
          </>
        ) : (
          <Following ids={started} done={kind.done} />
        )}
        {error && (
          <div className="mt-3">
            <Problem error={error} />
          </div>
        )}
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={close}>{started === undefined ? 'Keep as it is' : 'Close'}</Button>
          {started === undefined && (
            <Button
              type="submit"
              look={'danger' in kind ? 'danger' : 'primary'}
              disabled={incomplete || start.isPending}
            >
              {verb} {matched === undefined ? '…' : counted(matched, 'task')}
            </Button>
          )}
        </div>
      </form>
    </Dialog>
  );
}

function effectOf(action: BulkAct['action'], tasks: string, again: string): ReactNode {
  switch (action) {
    case 'task_retry':
      return `${tasks}: ${again} with a full set of attempts. Completed steps keep their results.`;
    case 'task_cancel':
      return `${tasks}: the open steps are cancelled. Steps that are running now finish, but their results are dropped.`;
    case 'task_resolve':
      return `${tasks} end as resolved by hand: their work was done elsewhere. Open steps are cancelled.`;
    case 'task_delete':
      return `${tasks} with their steps, results and history are deleted permanently. Tasks that have not ended are skipped.`;
    case 'task_redrive':
      return `The failed steps of ${tasks} are run again, and the dead letters are closed.`;
  }
}

function Effect({ action, previews }: { action: BulkAct['action']; previews: readonly BulkActPreview[] }) {
  const matched = sum(previews, (one) => one.matched);
  const skipped = sum(previews, (one) => one.skipped);
  const startsSteps = action === 'task_retry' || action === 'task_redrive';
  const once = startsSteps ? sum(previews, (one) => one.not_retryable) : 0;
  const paused = startsSteps ? sum(previews, (one) => one.paused) : 0;
  const samples = previews.flatMap(({ sample }) => sample).slice(0, EXAMPLES);
  if (matched === 0) return <p>None of these tasks can be {ACTIONS[action].done}.</p>;
  const again = runAgain(
    sum(previews, (one) => one.steps),
    'step',
  );
  return (
    <>
      <p>{effectOf(action, counted(matched, 'task'), again)}</p>
      {skipped > 0 && (
        <p className="mt-1">
          {counted(skipped, 'task')} of the selection cannot be {ACTIONS[action].done}.
        </p>
      )}
      {once > 0 && (
        <p className="mt-1 text-s-amber">
          {numberText(once)} of these steps {once === 1 ? 'is' : 'are'} run again although{' '}
          {once === 1 ? 'its' : 'their'} template has <Code>retryable: false</Code>. The first run may have had an
          effect: check it first.
        </p>
      )}
      {paused > 0 && (
        <p className="mt-1 text-s-amber">
          {counted(paused, 'task')} of them {paused === 1 ? 'is' : 'are'} paused, and{' '}
          {paused === 1 ? 'continues' : 'continue'} when the pause ends.
        </p>
      )}
      <p className="mt-3 mb-1 text-xs text-faint">
        {samples.length < matched ? `${samples.length} examples` : 'The tasks'}
      </p>
      <ul className="overflow-hidden rounded-md border border-line">
        {samples.map(({ task_uuid: uuid, template, status, steps: [first] }) => (
          <li key={uuid} className="flex h-8 items-center gap-3 border-b border-line px-2.5 last:border-b-0">
            <span className="w-24 shrink-0">
              <State state={status} />
            </span>
            <span className="shrink-0 text-ink">{template}</span>
            <span className="truncate text-xs text-faint">{first?.error ?? first?.error_type ?? uuid}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

/** The progress of bulk actions, which can be stopped. The actions continue without the page. */
function Following({ ids, done: verb }: { ids: readonly number[]; done: string }) {
  const stop = useMutation({
    mutationFn: () => Promise.all(ids.map((id) => api.bulkActs.stop(id))),
  });
  const { data = [], error } = useQuery({
    queryKey: ['bulk', ids],
    queryFn: ({ signal }) => Promise.all(ids.map((id) => api.bulkActs.get(id, { signal }))),
    refetchInterval: ({ state }) => (state.data?.every(hasEnded) ? false : PROGRESS_MS),
  });
  const matched = sum(data, (act) => act.matched);
  const done = sum(data, (act) => act.done);
  const skipped = sum(data, (act) => act.skipped_count);
  const failed = sum(data, (act) => act.failed_count);
  const ended = data.length > 0 && data.every(hasEnded);
  const stopped = data.some(({ state }) => state === 'stopped');
  return (
    <div className="mt-3 text-sm">
      <div className="h-1.5 overflow-hidden rounded-full bg-line">
        <div
          className={`h-full ${stopped ? 'bg-s-amber' : 'bg-s-green'}`}
          style={{ width: `${matched === 0 ? 0 : ((done + skipped + failed) / matched) * 100}%` }}
        />
      </div>
      <div className="mt-2 flex min-h-8 items-center justify-between gap-3">
        <p className="text-soft tabular-nums" aria-live="polite">
          {numberText(done)} of {counted(matched, 'task')} {verb}
          {skipped > 0 && `, ${numberText(skipped)} skipped because they had changed`}
          {failed > 0 && `, ${numberText(failed)} failed`}
          {stopped ? ': stopped' : ended ? ': done' : ''}
        </p>
        {!ended && (
          <Button disabled={stop.isPending || stop.isSuccess} onClick={() => stop.mutate()}>
            Stop
          </Button>
        )}
      </div>
      {!ended && <p className="text-xs text-faint">The action continues after you close this dialog.</p>}
      {(error ?? stop.error) && <Problem error={(error ?? stop.error)!} />}
    </div>
  );
}

const hasEnded = ({ state, ended_at: at }: BulkReport) => at !== null || state === 'stopped';
