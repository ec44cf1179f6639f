import { createHash } from 'node:crypto';
import { etag } from 'hono/etag';

/**
 * Adds an ETag of the whole body to a response, or returns 304 if the caller has this version. Reads the body to its
 * end, so it must not be used for streams.
 */
export const withEtag = etag({
  generateDigest: (body) => {
    const hash = createHash('sha1').update(body).digest();
    return hash.buffer.slice(hash.byteOffset, hash.byteOffset + hash.length) as ArrayBuffer;
  },
});
