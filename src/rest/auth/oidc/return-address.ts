/**
 * Returns the address of a path below this server. For any other input, such as another host or a path outside the
 * server's own, returns the first page.
 */
export function returnAddress(path: string, publicUrl: string): string {
  const base = new URL(`${publicUrl}/`);
  // Browsers read // and /\ as the beginning of a host, and drop line breaks and tabs.
  const isPath = /^\/(?![/\\])[\x21-\x7e]*$/.test(path) && !path.includes('\\');
  const text = `${publicUrl}${path}`;
  if (!isPath || !URL.canParse(text)) return base.href;
  const url = new URL(text);
  const isBelow = url.origin === base.origin && url.pathname.startsWith(base.pathname);
  return isBelow && url.username === '' ? url.href : base.href;
}
