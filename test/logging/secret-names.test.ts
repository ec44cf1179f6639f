import { describe, expect, it } from 'vitest';
import { redactedHeaders, redactedJson, redactedUrl } from '../../src/handlers/api/redaction.ts';
import { redactFields } from '../../src/logging/redact-fields.ts';

const named = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, 'x']));
const hidden = (fields: object) => Object.keys(fields).filter((name) => Reflect.get(fields, name) === '[redacted]');
const parameters = (names: readonly string[]) =>
  Object.fromEntries(new URL(redactedUrl(`https://h/?${names.map((name) => `${name}=x`).join('&')}`)).searchParams);

/** Names of credentials in any source. */
const EVERYWHERE = [
  'Authorization',
  'Proxy-Authorization',
  'authorisation',
  'set-cookie',
  'password',
  'passwd',
  'passphrase',
  'db_pwd',
  'userPwd',
  'client_secret',
  'clientSecret',
  'credentials',
  'api_key',
  'apiKey',
  'x-api-key',
  'aws_access_key_id',
  'privateKey',
  'encryption-key',
  'token',
  'accessToken',
  'refresh_tokens',
  'id_jwt',
  'sig',
  'X-Amz-Signature',
];
/** Names that mean credentials in data of other systems, but not in a program's own fields. */
const ABROAD = ['x-functions-key', 'ocp-apim-subscription-key', 'token_value', 'jwt_assertion', 'signatures'];
/** Names that look like credentials, but are needed in logs. */
const OWN = ['primary_key', 'key', 'tokens_used', 'max_tokens', 'design', 'author'];

describe('a name of a credential', () => {
  it('is recognized in a log, a header, a parameter and a body', () => {
    expect(hidden(redactFields(named(EVERYWHERE)))).toEqual(EVERYWHERE);
    expect(hidden(redactedHeaders(named(EVERYWHERE)))).toEqual(EVERYWHERE);
    expect(hidden(parameters(EVERYWHERE))).toEqual(EVERYWHERE);
    expect(hidden(redactedJson(named(EVERYWHERE)) as object)).toEqual(EVERYWHERE);
  });

  it('is recognized more broadly in data of other systems', () => {
    expect(hidden(redactFields(named([...ABROAD, ...OWN])))).toEqual([]);
    expect(hidden(redactedHeaders(named(ABROAD)))).toEqual(ABROAD);
    expect(hidden(parameters([...ABROAD, 'key', 'author']))).toEqual([...ABROAD, 'key']);
    expect(hidden(redactedJson(named([...ABROAD, 'key', 'author'])) as object)).toEqual(ABROAD);
  });

  it('does not include idempotency keys, which are useful in logs', () => {
    const fields = named(['idempotency_key', 'Idempotency-Key']);
    expect(hidden(redactFields(fields))).toEqual([]);
    expect(hidden(redactedHeaders(fields))).toEqual([]);
  });

  it('is searched for in long texts in linear time', () => {
    const text = `${'a'.repeat(300_000)}://${'?'.repeat(300_000)}`;
    expect(redactFields({ text })).toEqual({ text });
  });
});
