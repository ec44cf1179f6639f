// Mutants that do not change observable behaviour, each with the reason. They do not count in the score. `line` is part of
// the source line where the mutant begins, so that an entry stays valid when the line moves.
export const EQUIVALENT = [
  {
    file: 'src/engine/events/acts.ts',
    line: 'if (count > 0) await promoteRetries(tx, groupId);',
    operator: 'comparison',
    original: '>',
    replacement: '>=',
    why: 'where nothing is delivered again, every delivery that is the first of its task is due already',
  },
  {
    file: 'src/engine/record.ts',
    line: 'const grown = accepted.length > 0 ? grow(',
    operator: 'comparison',
    original: '>',
    replacement: '>=',
    why: 'nothing grows then: the recount of no tasks changes nothing',
  },
  {
    file: 'src/store/events/members.ts',
    line: 'where group_id = $1 and not has_left and (select seen_at from tasker.event_group where id = $1) < now()',
    operator: 'comparison',
    original: '<',
    replacement: '<=',
    why: 'two times of transactions that differ by exactly 90 seconds, to the microsecond',
  },
  {
    file: 'src/store/expand-tasks.ts',
    line: "and p.state not in ('complete', 'resolved_manually')) unmet",
    operator: 'state',
    original: "'complete'",
    replacement: "'error'",
    why: 'recount_steps, in the same transaction, counts again for workers with more than one parent',
  },
  {
    file: 'src/store/read-steps.ts',
    line: 'and p.idx < ((b.worker_idx + 1) << 17) + b.size',
    operator: 'comparison',
    original: '<',
    replacement: '<=',
    why: 'no step has this place: a batch has at most 10,000 workers, and the next one begins 131,072 places later',
  },
  {
    file: 'src/store/stale-tasks.ts',
    line: 'max(s.next_at) filter (where s.next_at <= now())',
    operator: 'comparison',
    original: '<=',
    replacement: '<',
    why: 'a retry that is due at exactly the time of the transaction, to the microsecond',
  },
  {
    file: 'src/store/stale-tasks.ts',
    line: 'where until <= now() order by until limit 1',
    operator: 'comparison',
    original: '<=',
    replacement: '<',
    why: 'a limit that ends at exactly the time of the transaction, to the microsecond',
  },
  {
    file: 'src/worker/lease/heartbeat-thread-entry.ts',
    line: 'if (sharedNow() - memory.provenAt >= leaseMs) memory.cameBack(sentAt);',
    operator: 'comparison',
    original: '>=',
    replacement: '>',
    why: 'two clock readings that differ by exactly the lease',
  },
  {
    file: 'src/worker/missing-handlers.ts',
    line: 'known !== undefined && now - known.last < this.#options.graceMs',
    operator: 'comparison',
    original: '<',
    replacement: '<=',
    why: 'two clock readings that differ by exactly the grace period',
  },
  {
    file: 'src/worker/recorder.ts',
    line: "return /^(22|23|54|P0)/.test(sqlState(error) ?? '');",
    operator: 'default',
    original: "sqlState(error) ?? ''",
    replacement: '(sqlState(error))',
    why: "test(undefined) tests the text 'undefined', which does not match either",
  },
  {
    file: 'src/worker/task-cache.ts',
    line: 'return task.known.withheld.size === 0 && task.bytes <= size;',
    operator: 'comparison',
    original: '<=',
    replacement: '<',
    why: 'a shortcut: at the boundary the exact sum is computed and gives the same answer',
  },
  {
    file: 'src/worker/unreadable-templates.ts',
    line: 'for (let i = 0; i < steps.length; i += BATCH) {',
    operator: 'comparison',
    original: '<',
    replacement: '<=',
    why: 'differs only for a multiple of 500 steps, by a batch without steps, which records nothing',
  },
];

export function equivalenceOf({ file, operator, replacement, original }, lineText) {
  const found = EQUIVALENT.find(
    (each) =>
      each.file === file &&
      each.operator === operator &&
      each.original === original &&
      each.replacement === replacement &&
      lineText.includes(each.line),
  );
  return found?.why;
}
