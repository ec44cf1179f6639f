/** What PostgreSQL's programs get as their environment: none of the caller's PG… variables, locale or time zone. */
export const PLAIN_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
