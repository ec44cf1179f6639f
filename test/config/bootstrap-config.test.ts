import { describe, expect, it } from 'vitest';
import { loadBootstrapConfig } from '../../src/config/bootstrap-config.ts';
import { BootstrapConfig } from '../../src/index.ts';
import { projectWith, thrownBy } from '../support/config-folder.ts';

describe('BootstrapConfig', () => {
  const wrong = (config: object) => thrownBy(() => BootstrapConfig(config)).message;

  it('all options are accepted, and none is required', () => {
    expect(BootstrapConfig({ namespace: 'my_app', logLevel: 'info' })).toEqual({
      namespace: 'my_app',
      logLevel: 'info',
    });
    expect(BootstrapConfig()).toEqual({});
  });

  it('a misspelt option is rejected with a suggestion, or with the list of options', () => {
    expect(wrong({ namspace: 'x' })).toBe('BootstrapConfig: unknown option namspace; did you mean namespace?');
    expect(wrong({ log_level: 'info' })).toBe('BootstrapConfig: unknown option log_level; did you mean logLevel?');
    expect(wrong({ zzz: 1, workerId: '' })).toBe(
      'BootstrapConfig: workerId must be a non-empty string; unknown option zzz; the options are workerId, namespace, configPath, logLevel, databaseUrl, web',
    );
  });

  it('an invalid namespace is rejected with the rule for namespaces', () => {
    const rule = 'a namespace has 1 to 29 letters, digits and underscores, and does not begin with a digit';
    expect(wrong({ namespace: 'my-app' })).toBe(`BootstrapConfig: namespace "my-app" is not a namespace; ${rule}`);
    for (const namespace of ['1st', 'a b', 'über', 'n'.repeat(30), 'a\0', 7, null])
      expect(wrong({ namespace })).toContain(rule);
  });

  it('an empty namespace is treated as missing', () => {
    const env = { TASKER_NAMESPACE: 'shop' };
    for (const namespace of ['', ' ', undefined]) {
      const served = (variables: NodeJS.ProcessEnv) =>
        loadBootstrapConfig({ namespace }, { cwd: projectWith({}), env: variables }).config.namespaces;
      expect(served(env)).toEqual(['shop']);
      expect(served({ TASKER_NAMESPACE: '' })).toBeUndefined();
      expect(served({ TASKER_NAMESPACE: ' , ' })).toBeUndefined();
    }
  });

  it('an unknown log level is rejected', () => {
    expect(wrong({ logLevel: 'loud' })).toBe(
      'BootstrapConfig: logLevel must be one of trace, debug, info, warn, error, got "loud"',
    );
  });

  it('a port is opened only if the option or the file enables it, unlike in a worker server', () => {
    const on = projectWith({ 'tasker.toml': 'worker.web.enabled = true' });
    const enabled = (config: BootstrapConfig, cwd: string) =>
      loadBootstrapConfig(config, { cwd, env: {} }).config.webEnabled;
    expect(enabled({}, projectWith({}))).toBe(false);
    expect(enabled({ web: true }, projectWith({}))).toBe(true);
    expect(enabled({}, on)).toBe(true);
    expect(enabled({ web: false }, on)).toBe(false);
    expect(wrong({ web: 'yes' })).toBe('BootstrapConfig: web must be true or false, got "yes"');
  });

  it('every option takes precedence over environment and file', () => {
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
        namespace: 'my_app',
        configPath: 'mine.toml',
        logLevel: 'debug',
        databaseUrl: 'postgres://me/db',
      },
      { cwd, env },
    );
    expect(config).toMatchObject({
      name: 'me',
      namespaces: ['my_app'],
      leaseMs: 5000,
      log: { level: 'debug', modules: {} },
      databaseUrl: 'postgres://me/db',
    });
  });
});
