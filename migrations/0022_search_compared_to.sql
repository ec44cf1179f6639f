-- serves: 1
-- A comparison of the search tables leaves out what has not changed since the last comparison (docs/decisions/0019).

-- Every transaction before this one had ended when the last comparison began. Null: compare all tasks.
alter table tasker.search_state add column compared_to xid8;
