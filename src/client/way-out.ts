const TLS = /CERT|SIGNATURE|SELF_SIGNED|ALTNAME|ISSUER/;

/** Returns advice about a connection that failed, by the code of its cause. Empty if there is none. */
export function wayOut(code: string | undefined, server: string): string {
  if (code === undefined) return '';
  if (code === 'ECONNREFUSED') return '; check that `tasker server` is running there, and that the port is right';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `; check the name of the host in ${server}`;
  if (code === 'CERT_HAS_EXPIRED') return '; the server needs a new certificate';
  if (code.includes('ALTNAME')) return '; use a host name that is in the certificate';
  if (TLS.test(code))
    return '; set NODE_EXTRA_CA_CERTS to a file with the certificate of the authority that signed its certificate';
  if (/SSL|EPROTO/.test(code)) return '; if the server has no TLS, use http:// instead of https://';
  if (server.startsWith('http:') && /ECONNRESET|UND_ERR_SOCKET|HPE_/.test(code)) {
    return '; if the server has TLS, use https:// instead of http://';
  }
  return '';
}
