/**
 * What PostgreSQL's programs get as their environment: none of the caller's PG… variables, locale or time zone.
 * Windows' programs need variables of the system; there they get all.
 */
export const PLAIN_ENVIRONMENT =
  process.platform === 'win32' ? undefined : { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
