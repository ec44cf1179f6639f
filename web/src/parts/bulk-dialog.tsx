import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ask } from '../api/client.ts';
import { OperatorFields, useOperator } from './act-dialog.tsx';
import { Button, Problem } from './controls.tsx';
import { Dialog } from './dialog.tsx';
import { counted, numberText } from './words.ts';

/** An act on all tasks that a filter matches. */
export interface BulkAct {
  action: 'task_retry' | 'task_cancel';
  verb: string;
  filter: Record<string, unknown>;
}

interface Preview {
  matched: number;
  steps: number;
  not_retryable: number;
  sample: { task_uuid: string; template: string }[];
}

interface Progress {
  id: number;
  state: string;
  matched: number;
  done: number;
  skipped_count: number;
  failed_count: number;
  ended_at?: string | null;
}

const PATH = 'v1/bulk-acts';
const PROGRESS_MS = 1_000;

/** Shows what a bulk act would do, starts it, and follows it. */
export function BulkDialog({ act, onClose }: { act: BulkAct; onClose(): void }) {
  const { action, filter, verb } = act;
  const queries = useQueryClient();
  const operator = useOperator();
  const [started, setStarted] = useState<number>();
  const preview = useQuery({
    queryKey: ['bulk-preview', action, filter],
    queryFn: () => ask<Preview>(PATH, { method: 'POST', body: { action, filter, dry_run: true } }),
    staleTime: 0,
  });
  const start = useMutation({
    mutationFn: () => ask<Progress>(PATH, { method: 'POST', body: { action, filter, ...operator.said() } }),
    onSuccess: ({ id }) => {
      operator.remember();
      setStarted(id);
    },
  });
  const title = `${verb} all tasks of this cause`;
  const close = () => {
    onClose();
    void queries.invalidateQueries();
  };
  const error = preview.error ?? start.error;
  return (
    <Dialog title={title} onClose={close}>
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
            <div className="mt-2 min-h-10 text-sm text-soft">{preview.data && <Effect preview={preview.data} />}</div>
            <OperatorFields operator={operator} />
          </>
        ) : (
          <Following id={started} />
        )}
        {error && (
          <div className="mt-3">
            <Problem error={error} />
          </div>
        )}
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={close}>{started === undefined ? 'Keep as it is' : 'Close'}</Button>
          {started === undefined && (
            <Button type="submit" look="primary" disabled={!preview.data?.matched || start.isPending}>
              {verb} {preview.data ? counted(preview.data.matched, 'task') : '…'}
            </Button>
          )}
        </div>
      </form>
    </Dialog>
  );
}

function Effect({ preview: { matched, steps, not_retryable: once } }: { preview: Preview }) {
  if (matched === 0) return <p>No task matches any more.</p>;
  return (
    <>
      <p>
        {counted(matched, 'task')}: {counted(steps, 'step')} run again with a full set of attempts. Completed steps keep
        their results.
      </p>
      {once > 0 && (
        <p className="mt-1 text-s-amber">
          {counted(once, 'step')} failed for good: their handlers or templates say that they must not run twice.
        </p>
      )}
    </>
  );
}

function Following({ id }: { id: number }) {
  const { data } = useQuery({
    queryKey: ['bulk', id],
    queryFn: ({ signal }) => ask<Progress>(`${PATH}/${id}`, { signal }),
    refetchInterval: ({ state }) => (state.data?.ended_at ? false : PROGRESS_MS),
  });
  const { done = 0, matched = 0, skipped_count: skipped = 0, failed_count: failed = 0 } = data ?? {};
  return (
    <div className="mt-3 text-sm" aria-live="polite">
      <div className="h-1.5 overflow-hidden rounded-full bg-line">
        <div className="h-full bg-s-green" style={{ width: `${matched === 0 ? 0 : (done / matched) * 100}%` }} />
      </div>
      <p className="mt-2 text-soft tabular-nums">
        {numberText(done)} of {counted(matched, 'task')}
        {skipped > 0 && `, ${numberText(skipped)} skipped`}
        {failed > 0 && `, ${numberText(failed)} failed`}
        {data?.ended_at && ': done'}
      </p>
    </div>
  );
}
