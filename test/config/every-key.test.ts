import { describe, expect, it } from 'vitest';
import { CONFIG_KEYS, CONFIG_NAMES, type ConfigName } from '../../src/config/config-keys.ts';
import { DEFAULTS } from '../../src/config/defaults.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { DYNAMIC_LIMITS } from '../../src/engine/expansion.ts';
import { projectWith, thrownBy } from '../support/config-folder.ts';

/** A value of each key that is not the default, as TOML and as read, and an invalid value. */
const SAMPLES: Record<ConfigName, { toml: string; read: unknown; wrong: string; variable?: string }> = {
  environment: { toml: '"staging"', read: 'staging', wrong: '""' },
  databaseUrl: { toml: '"postgres://db/one"', read: 'postgres://db/one', wrong: '"mysql://db/one"' },
  databaseDirectUrl: { toml: '"postgres://db/two"', read: 'postgres://db/two', wrong: '5432' },
  databaseReplicaUrl: { toml: '"postgres://db,b/three"', read: 'postgres://db,b/three', wrong: '"no"' },
  schema: { toml: '"shop_tasks"', read: 'shop_tasks', wrong: '"Shop"' },
  migrate: { toml: 'false', read: false, wrong: '"no"', variable: '0' },
  embedded: { toml: 'true', read: true, wrong: '"yes"', variable: '1' },
  embeddedFolder: { toml: '"/srv/data"', read: '/srv/data', wrong: '""' },
  pipeline: { toml: 'false', read: false, wrong: '0', variable: '0' },
  poolSize: { toml: '25', read: 25, wrong: '1' },
  acquireTimeoutMs: { toml: '2.5', read: 2500, wrong: '0' },
  idleTimeoutMs: { toml: '60', read: 60_000, wrong: '-1' },
  templatePaths: {
    toml: '["/t/**/*.{yml,yaml}", "/u"]',
    read: ['/t', '/u'],
    wrong: '"/t"',
    variable: process.platform === 'win32' ? '/t;/u' : '/t:/u',
  },
  replaceTemplates: { toml: 'true', read: true, wrong: '"yes"', variable: '1' },
  schedulePaths: {
    toml: '["/s", "/u"]',
    read: ['/s', '/u'],
    wrong: '"/s"',
    variable: process.platform === 'win32' ? '/s;/u' : '/s:/u',
  },
  scheduleSource: { toml: '"shop"', read: 'shop', wrong: '3' },
  log: {
    toml: '"worker=debug,warn"',
    read: { level: 'warn', modules: { worker: 'debug' } },
    wrong: '"loud"',
    variable: 'worker=debug,warn',
  },
  stepsPerDecision: { toml: '7', read: 7, wrong: '0' },
  decisionDepth: { toml: '3', read: 3, wrong: '1.5' },
  workersPerBatch: { toml: '50', read: 50, wrong: '131073' },
  searchEnabled: { toml: 'false', read: false, wrong: '"no"' },
  analyticsEnabled: { toml: 'false', read: false, wrong: '"no"' },
  name: { toml: '"w-1"', read: 'w-1', wrong: '1' },
  namespaces: { toml: '["shop", "mail"]', read: ['shop', 'mail'], wrong: '"shop"', variable: 'shop, mail' },
  handlerPaths: { toml: '["/h"]', read: ['/h'], wrong: '[1]', variable: '/h' },
  filesForHttpTemplates: { toml: 'false', read: false, wrong: '"no"' },
  concurrency: { toml: '12', read: 12, wrong: '0' },
  handlerTimeoutMs: { toml: '30000', read: 30_000, wrong: '-1' },
  handlerMissingGraceMs: { toml: '0.5', read: 500, wrong: '"10s"' },
  leaseMs: { toml: '4', read: 4000, wrong: '0.05' },
  stepLogs: { toml: '"all"', read: 'all', wrong: '"some"' },
  blockedLoopBoundMs: { toml: '90', read: 90_000, wrong: '-1' },
  threads: { toml: '3', read: 3, wrong: '0' },
  threadMemoryMb: { toml: '256', read: 256, wrong: '8' },
  pollMs: { toml: '250', read: 250, wrong: '5' },
  drainTimeoutMs: { toml: '15000', read: 15_000, wrong: 'true' },
  webEnabled: { toml: 'false', read: false, wrong: '"no"' },
  webAddress: { toml: '"[::]:9000"', read: { host: '::', port: 9000 }, wrong: '"9000:"' },
  webConfigEndpoint: { toml: 'true', read: true, wrong: '1' },
  serverAddress: { toml: '"[::]:9001"', read: { host: '::', port: 9001 }, wrong: '"9001:"' },
  serverRequestMs: { toml: '5000', read: 5000, wrong: '10' },
  serverConfigEndpoint: { toml: 'true', read: true, wrong: '1' },
  legacyStatus: { toml: 'true', read: true, wrong: '200' },
  serverPoolSize: { toml: '20', read: 20, wrong: '1' },
  tlsCert: { toml: '"/srv/cert.pem"', read: '/srv/cert.pem', wrong: '""' },
  tlsKey: { toml: '"/srv/key.pem"', read: '/srv/key.pem', wrong: '""' },
  authEnabled: { toml: 'true', read: true, wrong: '"on"' },
  apiKeyHeader: { toml: '"X-Shop-Key"', read: 'X-Shop-Key', wrong: '"a b"' },
  apiKeys: {
    toml: '[{ key = "0123456789abcdef", permissions = ["tasks:*"], description = "ci" }]',
    read: [{ key: '0123456789abcdef', permissions: ['tasks:*'], description: 'ci' }],
    wrong: '[{ key = "0123456789abcdef", permissions = ["*"] }]',
  },
  apiKeysEnabled: { toml: 'false', read: false, wrong: '"no"' },
  jwtVerification: { toml: '"jwks"', read: 'jwks', wrong: '"secret"' },
  jwtPublicKey: { toml: '"PEM"', read: 'PEM', wrong: '1' },
  jwtPublicKeyPath: { toml: '"/srv/key.pem"', read: '/srv/key.pem', wrong: '1' },
  jwksUrl: { toml: '"https://id.example/keys"', read: 'https://id.example/keys', wrong: '"ftp://id.example"' },
  jwksAllowHttp: { toml: 'true', read: true, wrong: '1' },
  jwksRefreshMs: { toml: '60', read: 60_000, wrong: '0' },
  jwksMaxStaleMs: { toml: '30', read: 30_000, wrong: '-1' },
  jwtIssuer: { toml: '"https://id.example"', read: 'https://id.example', wrong: '""' },
  jwtAudience: { toml: '"shop"', read: 'shop', wrong: '""' },
  jwtAlgorithms: { toml: '["ES256"]', read: ['ES256'], wrong: '["none"]' },
  permissionsClaim: { toml: '"scp"', read: 'scp', wrong: '""' },
  jwtStrict: { toml: 'false', read: false, wrong: '0' },
  publicUrl: { toml: '"https://tasker.example/ops/"', read: 'https://tasker.example/ops', wrong: '"tasker.example"' },
  oidcIssuer: { toml: '"https://id.example/"', read: 'https://id.example/', wrong: '"https://id.example/?a=b"' },
  oidcName: { toml: '"Shop"', read: 'Shop', wrong: '1' },
  oidcClientId: { toml: '"tasker"', read: 'tasker', wrong: '1' },
  oidcClientSecret: { toml: '"hush"', read: 'hush', wrong: '1' },
  oidcScopes: { toml: '["openid", "groups"]', read: ['openid', 'groups'], wrong: '["groups"]' },
  oidcSubjectClaim: { toml: '"email"', read: 'email', wrong: '""' },
  oidcRolesClaim: { toml: '"realm_access.roles"', read: 'realm_access.roles', wrong: '""' },
  oidcRoles: {
    toml: '{ "platform team" = "operator" }',
    read: { 'platform team': 'operator' },
    wrong: '{ a = "root" }',
  },
  oidcNamespacesClaim: { toml: '"teams"', read: 'teams', wrong: '1' },
  oidcSessionMs: { toml: '3600', read: 3_600_000, wrong: '0' },
  oidcAllowHttp: { toml: 'true', read: true, wrong: '1' },
  corsOrigins: { toml: '["https://desk.example"]', read: ['https://desk.example'], wrong: '["*"]' },
  metricsNeedCredential: { toml: 'true', read: true, wrong: '1' },
  requestsPerSecond: { toml: '50', read: 50, wrong: '-1' },
  eventRetentionMs: { toml: '0.5', read: 43_200_000, wrong: '-1' },
  auditRetentionMs: { toml: '90', read: 7_776_000_000, wrong: '-1' },
  deadLetters: { toml: 'false', read: false, wrong: '"no"' },
  stalenessDetection: { toml: 'false', read: false, wrong: '1' },
  stalenessDryRun: { toml: 'true', read: true, wrong: '"yes"' },
  stalenessIntervalMs: { toml: '60', read: 60_000, wrong: '0.5' },
  waitingForDependenciesMinutes: { toml: '60', read: 60, wrong: '0' },
  waitingForRetryMinutes: { toml: '30', read: 30, wrong: '1.5' },
  stepsInProcessMinutes: { toml: '30', read: 30, wrong: '"30"' },
  taskLifetimeHours: { toml: '24', read: 24, wrong: '-1' },
  retentionMs: { toml: '30', read: 2_592_000_000, wrong: '"30d"' },
  retentionRules: {
    toml: '[{ namespace = "shop", status = "complete", days = 7 }, { name = "audit", version = "1.x", days = 0 }]',
    read: [
      { namespace: 'shop', status: ['complete'], keepMs: 604_800_000 },
      { name: 'audit', version: '1.x', keepMs: 0 },
    ],
    wrong: '30',
  },
  retentionArchive: { toml: '"/srv/archive"', read: '/srv/archive', wrong: '""' },
  retentionReleaseKeys: { toml: 'true', read: true, wrong: '"yes"' },
  retentionShare: { toml: '0.5', read: 0.5, wrong: '0' },
  eventMaxDeliveries: { toml: '3', read: 3, wrong: '0' },
  eventTimeoutMs: { toml: '2.5', read: 2500, wrong: '0.01' },
  eventConcurrency: { toml: '4', read: 4, wrong: '1001' },
  webhooks: {
    toml: '[{ name = "billing", url = "https://hooks.example/in", timeout_seconds = 5, allow_private = true }]',
    read: [{ name: 'billing', url: 'https://hooks.example/in', timeoutMs: 5000, allowPrivate: true }],
    wrong: '"https://hooks.example/in"',
  },
  rabbitmqUrl: { toml: '"amqp://broker:5672/shop"', read: 'amqp://broker:5672/shop', wrong: '"http://broker"' },
  rabbitmqGroup: { toml: '"outside"', read: 'outside', wrong: '""' },
  rabbitmqPatterns: { toml: '["payment.*"]', read: ['payment.*'], wrong: '[]' },
  rabbitmqFrom: { toml: '"beginning"', read: 'beginning', wrong: '"start"' },
  rabbitmqMaxDeliveries: { toml: '5', read: 5, wrong: '0' },
};

const lineFor = (path: string, value: string) => `${path} = ${value}\n`;
const load = (toml: string, env: NodeJS.ProcessEnv = {}) =>
  loadConfig({ cwd: projectWith({ 'tasker.toml': toml }), env });

describe.each(CONFIG_NAMES)('the setting %s', (name) => {
  const key = CONFIG_KEYS[name];
  const sample = SAMPLES[name];

  it('the default applies without a file', () => {
    const { config, sources } = loadConfig({ cwd: projectWith({}), env: {} });
    expect(config[name]).toEqual(key.byDefault);
    expect(config[name]).not.toEqual(sample.read);
    expect(sources[name]).toEqual({ from: 'default' });
  });

  it.each([key.path, ...(key.also ?? [])])('the key %s in the file changes the value', (path) => {
    const { config, sources, warnings } = load(lineFor(path, sample.toml));
    expect(config[name]).toEqual(sample.read);
    expect(sources[name]).toEqual({ from: 'file', name: path, file: 'tasker.toml', line: 1 });
    expect(warnings).toEqual([]);
  });

  it('an invalid value is rejected with file, line and the allowed values', () => {
    const error = thrownBy(() => load(`\n${lineFor(key.path, sample.wrong)}`));
    expect(error).toMatchObject({ code: 'config_invalid' });
    expect(error.message).toMatch(/^[^\n]+$/);
    expect(error.message).toContain(`tasker.toml:2: ${key.path} must be ${key.form.words}`);
  });

  it.each(key.variables ?? [])(
    'the variable %s takes precedence over the file, and an option over the variable',
    (variable) => {
      const text = sample.variable ?? sample.toml.replaceAll('"', '');
      const cwd = projectWith({ 'tasker.toml': lineFor(key.path, sample.toml) });
      const here = loadConfig({ cwd: projectWith({}), env: { [variable]: text } });
      expect(here.config[name]).toEqual(sample.read);
      const both = loadConfig({ cwd, env: { [variable]: text } });
      expect(both.sources[name]).toEqual({ from: 'environment', name: variable });
      const all = loadConfig({ cwd, env: { [variable]: text }, overrides: { [name]: key.byDefault ?? sample.read } });
      expect(all.sources[name]).toEqual({ from: 'option' });
      expect(all.config[name]).toEqual(key.byDefault ?? sample.read);
      const empty = loadConfig({ cwd, env: { [variable]: '' } });
      expect(empty.sources[name].from).toBe('file');
    },
  );
});

describe('the defaults', () => {
  it('the limits on dynamic steps are the same as in the engine', () => {
    const { stepsPerDecision, decisionDepth, workersPerBatch } = DEFAULTS;
    expect({ stepsPerDecision, decisionDepth, workersPerBatch }).toEqual(DYNAMIC_LIMITS);
  });
});
