const JSON_TYPE = /^\s*[\w.-]+\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/** Whether a content type says that the body is JSON. */
export function isJsonType(contentType: string | undefined): boolean {
  return JSON_TYPE.test(contentType ?? '');
}
