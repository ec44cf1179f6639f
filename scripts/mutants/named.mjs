// Mutants that are always tried, named for what they break. `from` must occur exactly once in the file.
export const NAMED = [
  {
    what: 'promoting a due retry also removes the timers of later retries of the task',
    file: 'src/store/queue.ts',
    from: ' and due_at <= statement_timestamp() returning',
    to: ' returning',
  },
  {
    what: 'a claim from one namespace locks queue rows but not steps',
    file: 'statements/claim_steps.sql',
    from: 'limit $1 for update of q, s skip locked',
    to: 'limit $1 for update of q skip locked',
  },
  {
    what: 'a claim from several namespaces locks queue rows but not steps',
    file: 'statements/claim_steps_of_several.sql',
    from: 'q.ctid = seen.tid for update of q, s skip locked',
    to: 'q.ctid = seen.tid for update of q skip locked',
  },
  {
    what: 'a claim does not lock the row of its worker',
    file: 'statements/claim_steps.sql',
    from: "state = 'alive' for share",
    to: "state = 'alive'",
  },
  {
    what: 'a cancellation reads steps without locking them',
    file: 'src/store/operator-actions.ts',
    from: "'waiting', 'error') for update),",
    to: "'waiting', 'error')),",
  },
  {
    what: 'a worker that was declared dead still owns its claims',
    file: 'src/worker/lease/incarnation.ts',
    from: 'return !this.#dead.has(incarnationOf(claim));',
    to: 'return true;',
  },
  {
    what: 'compaction renumbers the queue',
    file: 'src/store/queue.ts',
    from: 'insert into tasker.queue overriding system value select * from tasker_queue_kept',
    to: 'insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id) select namespace_id, rank, task_uuid, idx, template_id from tasker_queue_kept',
  },
  {
    what: 'a recording does not check its fence',
    file: 'statements/record_steps.sql',
    from: "s.state = 'in_progress' and s.claim = d.claim",
    to: "s.state = 'in_progress'",
  },
];

/** The mutant as an edit of its file's text. */
export function namedMutant({ what, file, from, to }, text) {
  const start = text.indexOf(from);
  if (start < 0 || text.includes(from, start + 1))
    throw new Error(
      `${file}: the text of the named mutant "${what}" must occur exactly once; correct scripts/mutants/named.mjs`,
    );
  const kind = /^(src\/store|statements)\//.test(file) ? 'sql' : 'typescript';
  const line = text.slice(0, start).split('\n').length;
  return { kind, file, start, end: start + from.length, replacement: to, operator: 'named', line, what };
}
