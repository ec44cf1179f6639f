import { describe, expect, it } from 'vitest';
import { loadBootstrapConfig } from '../../src/config/bootstrap-config.ts';
import { BootstrapConfig } from '../../src/index.ts';
import { projectWith, thrownBy } from '../support/config-folder.ts';

describe('BootstrapConfig', () => {
  const wrong = (config: object) => thrownBy(() => BootstrapConfig(config)).message;

  it('takes what a worker is told, and nothing needs to be', () => {
    expect(BootstrapConfig({ namespace: 'my-app', logLevel: 'info' })).toEqual({
      namespace: 'my-app',
      logLevel: 'info',
    });
    expect(BootstrapConfig()).toEqual({});
  });

  it('refuses a key that is misspelt, with the one that was meant', () => {
    expect(wrong({ namspace: 'x' })).toBe('BootstrapConfig: namspace is no key; did you mean namespace?');
    expect(wrong({ log_level: 'info' })).toBe('BootstrapConfig: log_level is no key; did you mean logLevel?');
    expect(wrong({ zzz: 1, namespace: '' })).toBe(
      'BootstrapConfig: namespace must be a text that is not empty; zzz is no key; there are workerId, namespace, configPath, logLevel, databaseUrl, web',
    );
  });

  it('refuses a level that does not exist', () => {
    expect(wrong({ logLevel: 'loud' })).toBe(
      'BootstrapConfig: logLevel must be one of trace, debug, info, warn, error, got "loud"',
    );
  });

  it('opens no port unless option or file says so, whatever the default of a worker server is', () => {
    const on = projectWith({ 'tasker.toml': 'worker.web.enabled = true' });
    const enabled = (config: BootstrapConfig, cwd: string) =>
      loadBootstrapConfig(config, { cwd, env: {} }).config.webEnabled;
    expect(enabled({}, projectWith({}))).toBe(false);
    expect(enabled({ web: true }, projectWith({}))).toBe(true);
    expect(enabled({}, on)).toBe(true);
    expect(enabled({ web: false }, on)).toBe(false);
    expect(wrong({ web: 'yes' })).toBe('BootstrapConfig: web must be true or false, got "yes"');
  });

  it('wins with every member over environment and file', () => {
    const cwd = projectWith({ 'mine.toml': 'worker.lease_seconds = 5\nworker.worker_id = "file"' });
    const env = {
      TASKER_CONFIG_PATH: 'absent.toml',
      TASKER_WORKER_ID: 'env',
      TASKER_NAMESPACE: 'env',
      LOG_LEVEL: 'error',
      DATABASE_URL: 'postgres://env/db',
    };
    const { config } = loadBootstrapConfig(
      {
        workerId: 'me',
        namespace: 'my-app',
        configPath: 'mine.toml',
        logLevel: 'debug',
        databaseUrl: 'postgres://me/db',
      },
      { cwd, env },
    );
    expect(config).toMatchObject({
      name: 'me',
      namespaces: ['my-app'],
      leaseMs: 5000,
      log: { level: 'debug', modules: {} },
      databaseUrl: 'postgres://me/db',
    });
  });
});
