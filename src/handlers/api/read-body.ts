import { PermanentError } from '../handler-errors.ts';

/** How much is read, and of what. */
interface Reading {
  maxBytes: number;
  /** The request, for the message. */
  from: string;
}

/** Reads all of an answer's body, unpacked, up to a number of bytes. Throws a `response_too_large` beyond that. */
export async function readBody(response: Response, reading: Reading): Promise<Uint8Array> {
  const { body, headers } = response;
  if (!body) return new Uint8Array();
  if (!headers.has('content-encoding') && Number(headers.get('content-length')) > reading.maxBytes) {
    await body.cancel();
    throw tooLarge(reading);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop by a throw cancels the stream, which closes the connection.
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > reading.maxBytes) throw tooLarge(reading);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

function tooLarge({ maxBytes, from }: Reading): PermanentError {
  return new PermanentError(
    `${from}: the answer has more than ${maxBytes} bytes; raise maxResponseBytes, or read it with stream: true`,
    { errorType: 'response_too_large', metadata: { max_response_bytes: maxBytes } },
  );
}
