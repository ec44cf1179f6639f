/** The search may always lack the changes of the last second or two. A smaller lag than this is not mentioned. */
export const UNNOTICED_LAG_MS = 2_000;
