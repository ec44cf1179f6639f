import { describe, expect, it } from 'vitest';
import { hiddenUrl, hostsOf } from '../../src/config/database-hosts.ts';

describe('a database URL', () => {
  it('may name several hosts, as for libpq', () => {
    expect(
      hostsOf('postgres://u:p%40@a:5433,b,[::1]:6000/shop?sslmode=disable&target_session_attrs=read-write'),
    ).toEqual({
      target: 'read-write',
      urls: [
        'postgres://u:p%40@a:5433/shop?sslmode=disable',
        'postgres://u:p%40@b/shop?sslmode=disable',
        'postgres://u:p%40@[::1]:6000/shop?sslmode=disable',
      ],
    });
    expect(
      hostsOf('postgresql:///shop?host=/run/a,/run/b&port=1,2')?.urls.map((url) =>
        new URL(url).searchParams.get('port'),
      ),
    ).toEqual(['1', '2']);
    expect(hostsOf('postgres://a/shop?target_session_attrs=primary')).toMatchObject({
      target: 'primary',
      urls: ['postgres://a/shop'],
    });
  });

  it('is not changed if it has one host', () => {
    const url = 'postgres://postgres:x@127.0.0.1:5432/t?sslmode=disable&host=%2Fdev%2Fshm';
    expect(hostsOf(url)).toEqual({ target: undefined, urls: [url] });
  });

  it('is rejected if it is invalid', () => {
    for (const url of [
      'mysql://a/b',
      'postgres',
      '',
      'postgres://a:x,b/c',
      'postgres://a,b/c?target_session_attrs=no',
    ]) {
      expect([url, hostsOf(url)]).toEqual([url, undefined]);
    }
  });

  it('that is mistyped is not shown, because any part of it may be the password', () => {
    for (const url of [
      'postgres:/u:pw@h/db',
      'postgres:u:pw@h/db',
      'postgres:///u:pw@h/db',
      'postgresql:\\\\u:pw@h/db',
      'postgres//u:pw@h/db',
      'u:pw@h/db',
      'data:u:pw@h',
    ]) {
      expect([url, hiddenUrl(url)]).toEqual([url, '***']);
    }
    expect(hiddenUrl('postgres://u:pw@h/db')).toBe('postgres://u:***@h/db');
    expect(hiddenUrl('postgres://u:p%40w@h:5432,i/db?sslkey=x')).toBe('postgres://u:***@h:5432,i/db?sslkey=***');
    for (const url of ['https://id.example.com/keys', 'postgres:///db?host=/run', 'socket:/run?db=shop']) {
      expect(hiddenUrl(url)).toBe(url);
    }
  });

  it('with several hosts is shown without passwords', () => {
    expect(hiddenUrl('postgres://u:secret@a:1,b:2/shop?sslpassword=hush')).toBe(
      'postgres://u:***@a:1,b:2/shop?sslpassword=***',
    );
  });
});
