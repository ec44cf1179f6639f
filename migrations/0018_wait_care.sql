-- serves: 1
-- The clock that decides whether a schedule is due. The test kit replaces it in its own database: a due time is a time of day,
-- so the kit cannot move due times back as it does with timers. It is inlined, so the index of due schedules is used.
create function tasker.schedule_now() returns timestamptz language sql stable parallel safe return now();
