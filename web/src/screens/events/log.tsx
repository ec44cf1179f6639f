import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { api, pathOf } from '../../api/client.ts';
import { usePolling } from '../../api/polling.ts';
import type { DomainEvent } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { Button, Empty, Panel } from '../../parts/controls.tsx';
import { ExportMenu } from '../../parts/export-menu.tsx';
import { INPUT } from '../../parts/form/field.tsx';
import { TableFoot } from '../../parts/grid.tsx';
import { JsonTree } from '../../parts/json-tree.tsx';
import { ReadProblem } from '../../parts/read-problem.tsx';
import { Id, Time } from '../../parts/text.tsx';
import { counted } from '../../parts/words.ts';

const LOG_MS = 5_000;

/** The durable events, newest first. */
export function Log() {
  const [search, setSearch] = useSearchParams();
  const [open, setOpen] = useState<string>();
  const name = search.get('name') ?? '';
  const [typed, setTyped] = useState(name);
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: ['events', name],
    queryFn: ({ pageParam, signal }) => api.events.list({ name: name || undefined, cursor: pageParam }, { signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: usePolling(LOG_MS),
  });
  const events = data?.pages.flatMap((page) => page.events);
  return (
    <>
      <form
        aria-label="Filter the events"
        className="mb-3 flex max-w-md gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          setSearch((now) => {
            if (typed.trim() === '') now.delete('name');
            else now.set('name', typed.trim());
            return now;
          });
        }}
      >
        <input
          data-filter
          type="search"
          aria-label="Name or pattern"
          placeholder="Name or pattern, such as payment.*"
          className={`${INPUT} h-8`}
          value={typed}
          onChange={({ target }) => setTyped(target.value)}
        />
        <Button type="submit">Filter</Button>
      </form>
      <ReadProblem error={error} hasData={events !== undefined} />
      {events && (
        <Panel>
          {events.length > 0 ? (
            <>
              <table className="grid-table" aria-label="Events">
                <thead>
                  <tr>
                    <th scope="col">When</th>
                    <th scope="col">Event</th>
                    <th scope="col">Step</th>
                    <th scope="col">Task</th>
                    <th scope="col">Payload</th>
                  </tr>
                </thead>
                <tbody>
                  {events.map((event) => (
                    <Row
                      key={event.event_id}
                      event={event}
                      open={open === event.event_id}
                      onToggle={() => setOpen(open === event.event_id ? undefined : event.event_id)}
                    />
                  ))}
                </tbody>
              </table>
              <TableFoot text={counted(events.length, 'row')}>
                <ExportMenu name="Events" rows={events} />
              </TableFoot>
            </>
          ) : name === '' ? (
            <Empty title="No events yet">
              Steps whose template declares publishes_events publish domain events here.
            </Empty>
          ) : (
            <Empty title={`No event matches ${name}`}>Catalogue lists the events that templates declare.</Empty>
          )}
        </Panel>
      )}
      {hasNextPage && (
        <div className="text-center">
          <Button disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Show older events
          </Button>
        </div>
      )}
    </>
  );
}

function Row({ event, open, onToggle }: { event: DomainEvent; open: boolean; onToggle(): void }) {
  const link = useLinks();
  const { event_id: id, name, fired_at: at, step_name: step, task_uuid: uuid, payload } = event;
  return (
    <>
      <tr>
        <td>
          <Time at={at} />
        </td>
        <td>
          <button
            type="button"
            aria-expanded={open}
            className="font-medium hover:text-accent hover:underline"
            onClick={onToggle}
          >
            {name}
          </button>
        </td>
        <td>
          <Link className="text-soft hover:text-accent hover:underline" to={link(pathOf`tasks/${uuid}`, { step })}>
            {step}
          </Link>
        </td>
        <td>
          <Link
            className="text-soft hover:text-accent hover:underline"
            title={uuid}
            to={link(pathOf`tasks/${uuid}`, { view: 'events' })}
          >
            <span className="text-faint">{event.namespace}/</span>
            <span className="font-mono text-xs">
              {uuid.slice(0, 8)}…{uuid.slice(-4)}
            </span>
          </Link>
        </td>
        <td className="wide">
          <span className="font-mono text-xs text-soft">{JSON.stringify(payload)}</span>
        </td>
      </tr>
      {open && (
        <tr>
          <td colSpan={5} className="whitespace-normal! p-0!">
            <p className="flex flex-wrap gap-x-6 px-3 pt-2 text-xs text-soft">
              <span>
                Event <Id id={id} what="event id" />
              </span>
              <span>version {event.version}</span>
              <span>namespace {event.namespace}</span>
              <span>publisher {event.publisher}</span>
              <span>attempt {event.attempt}</span>
            </p>
            <div className="grid lg:grid-cols-2">
              {(
                [
                  ['Payload', payload],
                  ['Metadata', event.metadata],
                ] as const
              ).map(([title, value]) => (
                <section key={title} aria-label={title}>
                  <h3 className="-mb-6 px-3 pt-2 text-xs font-medium text-faint">{title}</h3>
                  <JsonTree name={`the ${title.toLowerCase()}`} value={value} />
                </section>
              ))}
            </div>
          </td>
        </tr>
      )}
    </>
  );
}
