// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of TOML files
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { projectWith, thrownBy } from '../support/config-folder.ts';

const at = (files: Record<string, string>, env: NodeJS.ProcessEnv = {}) => loadConfig({ cwd: projectWith(files), env });

describe('the configuration of a project', () => {
  const POOL = '[common.database.pool]\nmax_connections = 33\n';

  it.each(['tasker.toml', 'config/tasker.toml', 'config/tasker/base/common.toml'])(
    '%s is found from any folder of the project',
    (file) => {
      const cwd = projectWith({ [file]: POOL, 'src/deep/x.ts': '' });
      for (const folder of [cwd, path.join(cwd, 'src', 'deep')]) {
        const { config, files } = loadConfig({ cwd: folder, env: {} });
        expect(config.poolSize).toBe(33);
        expect(files).toEqual([path.join(cwd, file)]);
      }
    },
  );

  it('a variable or an option can name the file', () => {
    const cwd = projectWith({ 'tasker.toml': '', 'a.toml': POOL, 'b.toml': POOL.replace('33', '44') });
    const env = { TASKER_CONFIG_PATH: 'a.toml' };
    expect(loadConfig({ cwd, env }).config.poolSize).toBe(33);
    expect(loadConfig({ cwd, env, configPath: 'b.toml' })).toMatchObject({
      config: { poolSize: 44 },
      path: path.join(cwd, 'b.toml'),
    });
  });

  it('a named file that does not exist is an error', () => {
    const cwd = projectWith({ 'empty/x': '' });
    expect(thrownBy(() => loadConfig({ cwd, env: { TASKER_CONFIG_PATH: 'no.toml' } })).message).toBe(
      `TASKER_CONFIG_PATH: ${path.join(cwd, 'no.toml')} does not exist; name a TOML file, or a folder with base/ and environments/`,
    );
    expect(thrownBy(() => loadConfig({ cwd, env: {}, configPath: 'empty' })).message).toMatch(
      /^configPath: .*empty is a folder without base\//,
    );
  });

  it('the templates of the project are found from a subfolder', () => {
    const cwd = projectWith({ 'config/tasks/a.yaml': '', 'templates/b.yaml': '', 'src/x.ts': '' });
    const { config } = loadConfig({ cwd: path.join(cwd, 'src'), env: {} });
    expect(config.templatePaths).toEqual([path.join(cwd, 'config', 'tasks')]);
    expect(at({}).config.templatePaths).toEqual([]);
  });

  it('paths in the file are relative to the project, and paths in variables to the current folder', () => {
    const cwd = projectWith({ 'config/tasker.toml': 'worker.handlers.search_paths = ["h"]', 'src/x.ts': '' });
    const below = path.join(cwd, 'src');
    expect(loadConfig({ cwd: below, env: {} }).config.handlerPaths).toEqual([path.join(cwd, 'h')]);
    expect(loadConfig({ cwd: below, env: { TASKER_HANDLER_PATH: 'h' } }).config.handlerPaths).toEqual(['h']);
  });
});

describe('the layers of a folder', () => {
  const LAYERS = {
    'config/tasker/base/common.toml':
      '[common.database.pool]\nmax_connections = 10\nidle_timeout_seconds = 20\n[common.database._docs]\nurl = "where"\n',
    'config/tasker/base/worker.toml': '[worker]\nworker_id = "base"\nnamespaces = ["a", "b"]\n',
    'config/tasker/environments/test/common.toml': '[common.database.pool]\nmax_connections = 30\n',
    'config/tasker/environments/test/worker.toml': '[worker]\nnamespaces = ["c"]\n',
  };

  it('layers are merged, lists are replaced, and each value names the file that set it last', () => {
    const { config, sources, files, warnings } = at(LAYERS, { TASKER_ENV: 'test' });
    expect(config).toMatchObject({ poolSize: 30, idleTimeoutMs: 20_000, name: 'base', namespaces: ['c'] });
    expect(sources.poolSize.file).toBe(path.join('config', 'tasker', 'environments', 'test', 'common.toml'));
    expect(sources.idleTimeoutMs).toMatchObject({
      file: path.join('config', 'tasker', 'base', 'common.toml'),
      line: 3,
    });
    expect(files).toHaveLength(4);
    expect(warnings).toEqual([]);
  });

  it('the variable selects the environment, or base/ does if the variable is not set', () => {
    const layers = { ...LAYERS, 'config/tasker/base/orchestration.toml': '[common.execution]\nenvironment = "test"\n' };
    expect(at(layers).config).toMatchObject({ environment: 'test', poolSize: 30 });
    expect(at(layers, { TASKER_ENV: 'production' }).config).toMatchObject({ environment: 'production', poolSize: 10 });
  });

  it('an environment name that points outside environments/ is rejected', () => {
    const outside = { ...LAYERS, 'config/elsewhere/common.toml': '[common.database.pool]\nmax_connections = 1\n' };
    for (const name of ['../../elsewhere', 'test/../../../elsewhere', '/etc', '..', '.', 'a\\b', 'a\0b']) {
      expect(thrownBy(() => at(outside, { TASKER_ENV: name })).message, name).toMatch(
        /^TASKER_ENV: .* is not the name of an environment; use letters, digits, - and _, as in production$/,
      );
    }
    expect(at(outside, { TASKER_ENV: 'eu-west_1.blue' }).config).toMatchObject({ poolSize: 10 });
  });

  it('an environment without a layer causes a warning', () => {
    expect(at(LAYERS, { TASKER_ENV: 'prodution' }).warnings).toEqual([
      expect.stringMatching(
        /folder environments\/prodution not found, so only base\/ is used; the environments are test$/,
      ),
    ]);
  });
});

describe('errors in a file', () => {
  it('all errors are reported together, each with its line', () => {
    const error = thrownBy(() =>
      at(
        {
          'tasker.toml': [
            '# ${NOT_A_VARIABLE} in a comment is ignored',
            '[common.database]',
            'url = "${DATABASE_URL}"',
            '[common.database.pool]',
            'max_connections = "many"',
            'idle_timeout_seconds = ${SECRET_TOKEN}',
            '[worker]',
            'lease_seconds = 0',
            'web = 4',
            'namespaces = ["""',
            'x = 1""", ""]',
            'shutdown_timeout_ms = -1',
          ].join('\n'),
        },
        { SECRET_TOKEN: 'swordfish', TASKER_PIPELINE: 'maybe' },
      ),
    );
    expect(error).toMatchObject({ code: 'config_invalid' });
    expect(error.message.split('\n')).toEqual([
      'tasker.toml:3: the variable DATABASE_URL is not set; set it, or write ${DATABASE_URL:-default}',
      'tasker.toml:6: the variable SECRET_TOKEN may not be used in a configuration file; write the value itself, or use a variable that the guide lists',
      'tasker.toml:9: worker.web must be a table, got 4',
      'tasker.toml:5: common.database.pool.max_connections must be a whole number from 2 to 10000, got "many"',
      'tasker.toml:10: worker.namespaces must be a list of namespaces; a namespace has 1 to 29 letters, digits and underscores, and does not begin with a digit, got ["x = 1",""]',
      'tasker.toml:8: worker.lease_seconds must be a number of seconds from 0.1 to 2147483, got 0',
      'tasker.toml:12: worker.shutdown_timeout_ms must be a whole number of milliseconds from 0 to 2147483647, got -1',
      'TASKER_PIPELINE: the variable must be true or false, got "maybe"',
    ]);
  });

  it('no error shows a password', () => {
    const toml = '[common.database]\nurl = "postgre://user:swordfish@host/db"\n';
    expect(thrownBy(() => at({ 'tasker.toml': toml })).message).not.toContain('swordfish');
  });

  it('invalid TOML is reported with its line', () => {
    expect(thrownBy(() => at({ 'tasker.toml': '[worker]\nworker_id = \n' })).message).toMatch(
      /^tasker\.toml:2: invalid TOML: [^\n]+$/,
    );
  });

  it('an invalid namespace is an error, in the file, a variable or an option', () => {
    const rule = 'a namespace has 1 to 29 letters, digits and underscores, and does not begin with a digit';
    const toml = (text: string) => projectWith({ 'tasker.toml': `worker.namespaces = ${text}` });
    const none = projectWith({});
    expect(thrownBy(() => loadConfig({ cwd: toml('["shop", "my-app"]'), env: {} })).message).toBe(
      `tasker.toml:1: worker.namespaces must be a list of namespaces; ${rule}, got ["shop","my-app"]`,
    );
    expect(thrownBy(() => loadConfig({ cwd: none, env: { TASKER_NAMESPACE: 'my-app' } })).message).toContain(rule);
    expect(thrownBy(() => loadConfig({ cwd: none, env: {}, overrides: { namespaces: ['my-app'] } })).message).toBe(
      `namespaces: the option must be a list of namespaces; ${rule}, got ["my-app"]`,
    );
    const served = (text: string) => loadConfig({ cwd: toml(text), env: {} }).config.namespaces;
    expect([served('["", "shop "]'), served('[""]'), served('[]')]).toEqual([['shop'], undefined, undefined]);
  });

  it('an unknown key causes a warning that suggests a similar key', () => {
    const toml =
      '[worker]\nleese_seconds = 4\nconcurrency = 5\n[common.database.pool]\nmax_conections = 4\nzzz = 1\n[wroker.web]\n';
    expect(at({ 'tasker.toml': toml }).warnings).toEqual([
      'tasker.toml:2: unknown key worker.leese_seconds is ignored; did you mean worker.lease_seconds?',
      'tasker.toml:3: unknown key worker.concurrency is ignored; did you mean worker.mpsc_channels.handler_dispatch.max_concurrent_handlers?',
      'tasker.toml:5: unknown key common.database.pool.max_conections is ignored; did you mean common.database.pool.max_connections?',
      'tasker.toml:6: unknown key common.database.pool.zzz is ignored',
      'tasker.toml:7: unknown key wroker is ignored; did you mean worker?',
    ]);
  });

  it('all keys without effect are reported in one warning', () => {
    const toml = [
      '[common.cache]\nenabled = true\nbackend = "redis"',
      '[common.database.pool]\nmin_connections = 5',
      '[orchestration.dlq.actions]\nauto_move_to_dlq = true',
      '[worker.mpsc_channels.handler_dispatch.load_shedding]\nenabled = true',
    ].join('\n');
    expect(at({ 'tasker.toml': toml }).warnings).toEqual([
      'tasker.toml: keys without effect here: common.cache.*, common.database.pool.min_connections, orchestration.dlq.actions.*, worker.mpsc_channels.handler_dispatch.load_shedding.*; `tasker config explain KEY` shows why',
    ]);
  });
});

describe('variables in a file', () => {
  const url = (text: string, env: NodeJS.ProcessEnv) =>
    at({ 'tasker.toml': `common.database.url = ${text}` }, env).config.databaseUrl;

  it('variables are replaced, and their defaults are used if they are empty or not set', () => {
    expect(url('"${PGMQ_DATABASE_URL:-postgres://a/b}"', {})).toBe('postgres://a/b');
    expect(url('"${PGMQ_DATABASE_URL:-postgres://a/b}"', { PGMQ_DATABASE_URL: '' })).toBe('postgres://a/b');
    expect(url('"${PGMQ_DATABASE_URL}"', { PGMQ_DATABASE_URL: 'postgres://c/d' })).toBe('postgres://c/d');
    expect(url("'${PGMQ_DATABASE_URL}'", { PGMQ_DATABASE_URL: 'postgres://c/d' })).toBe('postgres://c/d');
    const port = 'orchestration.shutdown_timeout_ms = ${TASKER_INSTANCE_PORT:-500}';
    expect(at({ 'tasker.toml': port }).config.drainTimeoutMs).toBe(500);
    expect(at({ 'tasker.toml': port }, { TASKER_INSTANCE_PORT: '700' }).config.drainTimeoutMs).toBe(700);
  });

  it('a variable is inserted as one value or rejected, whatever characters it contains', () => {
    const sly = 'postgres://a/"\\\\b';
    expect(url('"${PGMQ_DATABASE_URL}"', { PGMQ_DATABASE_URL: sly })).toBe(sly);
    const several = { PGMQ_DATABASE_URL: 'postgres://a/b"\n[worker]\nworker_id = "me' };
    expect(thrownBy(() => url('"${PGMQ_DATABASE_URL}"', several)).message).toMatch(
      /^tasker\.toml:1: the value of the variable PGMQ_DATABASE_URL has characters/,
    );
    expect(thrownBy(() => url("'${PGMQ_DATABASE_URL}'", { PGMQ_DATABASE_URL: "a'b" })).message).toMatch(
      /contains a quote/,
    );
    expect(thrownBy(() => url('"${A.B}"', {})).message).toMatch(/\$\{A\.B\} is not a variable; use the form/);
    expect(thrownBy(() => url('"${DATABASE_URI:-x}"', {})).message).toMatch(/did you mean DATABASE_URL\?$/);
  });
});

describe('the log level', () => {
  const log = (env: NodeJS.ProcessEnv) => at({}, env);

  it('the first variable that is set determines the level', () => {
    expect(log({ RUST_LOG: 'debug' }).config.log.level).toBe('debug');
    expect(log({ RUST_LOG: 'debug', LOG_LEVEL: 'WARN' }).config.log.level).toBe('warn');
    expect(log({ RUST_LOG: 'debug', LOG_LEVEL: 'warn', TASKER_LOG: 'error' }).config.log.level).toBe('error');
  });

  it('modules may have different levels', () => {
    expect(log({ RUST_LOG: 'tasker_core=trace,sqlx=warn' }).config.log).toEqual({
      level: 'info',
      modules: { tasker_core: 'trace', sqlx: 'warn' },
    });
  });

  it('logging can be disabled for all modules or for some', () => {
    expect(log({ RUST_LOG: 'off' }).config.log).toEqual({ level: 'off', modules: {} });
    expect(log({ RUST_LOG: 'info,sqlx=OFF' }).config.log).toEqual({ level: 'info', modules: { sqlx: 'off' } });
  });

  it('an invalid level causes one warning, and info is used instead', () => {
    const { config, warnings } = log({ RUST_LOG: 'loud,worker=debug,=,a=b=c' });
    expect(config.log).toEqual({ level: 'info', modules: { worker: 'debug' } });
    expect(warnings).toEqual([
      'RUST_LOG: loud, =, a=b=c is not one of trace, debug, info, warn, error, off; info is used',
    ]);
  });
});

describe('the direct URL', () => {
  const direct = (toml: string, env: NodeJS.ProcessEnv, databaseUrl?: string) =>
    loadConfig({ cwd: projectWith({ 'tasker.toml': toml }), env, overrides: { databaseUrl } }).config.databaseDirectUrl;
  const FILE = '[common.database]\nurl = "postgres://file/db"\ndirect_url = "postgres://file/direct"\n';

  it('a direct URL is used only with the database URL from the same source', () => {
    expect(direct(FILE, {})).toBe('postgres://file/direct');
    expect(direct(FILE, { DATABASE_URL: 'postgres://file/db' })).toBe('postgres://file/direct');
    expect(direct(FILE, { DATABASE_URL: 'postgres://env/db' })).toBeUndefined();
    const env = { DATABASE_URL: 'postgres://env/db', DATABASE_DIRECT_URL: 'postgres://env/direct' };
    expect(direct(FILE, env)).toBe('postgres://env/direct');
    expect(direct('', env, 'postgres://env/db')).toBe('postgres://env/direct');
    expect(direct('', env, 'postgres://mine/db')).toBeUndefined();
    expect(direct('', { DATABASE_DIRECT_URL: 'postgres://env/direct' }, 'postgres://mine/db')).toBeUndefined();
  });
});
