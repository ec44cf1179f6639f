import { expect, it } from 'vitest';
import { isLoopback, parseBindAddress } from '../../src/server/bind-address.ts';

it('a bind address has a port and an optional host', () => {
  expect(parseBindAddress('127.0.0.1:8081')).toEqual({ host: '127.0.0.1', port: 8081 });
  expect(parseBindAddress('[::1]:0')).toEqual({ host: '::1', port: 0 });
  expect(parseBindAddress('9000')).toEqual({ host: '127.0.0.1', port: 9000 });
  expect(parseBindAddress(':9000')).toEqual({ host: '0.0.0.0', port: 9000 });
  for (const wrong of ['', 'localhost', '127.0.0.1:', '127.0.0.1:65536', '::1:8081', 'http://localhost:80']) {
    expect(() => parseBindAddress(wrong)).toThrow(/is not an address to listen on; use the form 127\.0\.0\.1:8081/);
  }
});

it('loopback addresses are recognized', () => {
  for (const here of ['127.0.0.1', '127.8.8.8', 'localhost', '::1', '[::1]'])
    expect([here, isLoopback(here)]).toEqual([here, true]);
  for (const beyond of ['0.0.0.0', '::', '10.0.0.1', 'worker.example', '128.0.0.1']) {
    expect([beyond, isLoopback(beyond)]).toEqual([beyond, false]);
  }
});
