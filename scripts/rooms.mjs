// The rooms of src: the purpose of each, the file to read first, and the rooms that it may import.
// test/architecture.test.ts enforces the imports. scripts/write-rooms.mjs writes the table in CONTRIBUTING.md.

/**
 * In import order: a room may import only itself and rooms above it. `mayImportTypesOf`: rooms of which it may import only
 * types, wherever they are.
 */
export const ROOMS = {
  errors: {
    about: 'The table of error codes, and `TaskerError`.',
    begin: 'src/errors.ts',
    mayImport: [],
  },
  client: {
    about: 'The client of the HTTP API, `tasker-core/client`. It runs in browsers, so it imports only types.',
    begin: 'src/client/client.ts',
    mayImport: [],
    mayImportTypesOf: ['app', 'contract'],
  },
  time: {
    about: 'Waiting: back-off, timeouts, throttling, one lookup for many callers.',
    begin: 'src/time/back-off.ts',
    mayImport: [],
  },
  model: {
    about: 'Rules without input, output or clock: ids, identities, retry delays, limits.',
    begin: 'src/model/ids.ts',
    mayImport: ['errors'],
  },
  contract: {
    about: 'The request, response, path and permission of each verb over HTTP. Every door derives from it.',
    begin: 'src/contract/verb.ts',
    mayImport: ['model'],
  },
  config: {
    about: 'Settings. The only room that reads the environment.',
    begin: 'src/config/config-keys.ts',
    mayImport: ['errors', 'model'],
  },
  logging: {
    about: 'Loggers, log scopes, and the redaction of log lines. `terminal/` escapes text for a terminal.',
    begin: 'src/logging/logger.ts',
    mayImport: ['errors', 'config'],
  },
  metrics: {
    about: 'Counters and histograms, and their Prometheus text.',
    begin: 'src/metrics/instruments.ts',
    mayImport: ['errors'],
  },
  tracing: {
    about: 'OpenTelemetry spans and trace contexts.',
    begin: 'src/tracing/tracing.ts',
    mayImport: ['errors'],
  },
  pattern: {
    about: 'Regular expressions that take linear time.',
    begin: 'src/pattern/linear-pattern.ts',
    mayImport: [],
  },
  expressions: {
    about: 'Expressions in CEL over the context and the results of a task: parsed, checked against schemas, evaluated.',
    begin: 'src/expressions/expression.ts',
    mayImport: ['errors', 'model', 'pattern'],
  },
  template: {
    about:
      'Parses and checks YAML templates, and reports every mistake with its line. `generate/` writes types and AsyncAPI documents.',
    begin: 'src/template/parse-template.ts',
    mayImport: ['errors', 'model', 'pattern', 'expressions'],
  },
  handlers: {
    about: 'The API for authors of handlers. `api/`, `batch/` and `decision/` have the special kinds of handlers.',
    begin: 'src/handlers/step-handler.ts',
    mayImport: ['errors', 'logging', 'model', 'tracing'],
  },
  workflow: {
    about: 'Workflows in TypeScript: templates with the functions of their steps, and their types.',
    begin: 'src/workflow/workflow.ts',
    mayImport: ['errors', 'logging', 'model', 'template', 'handlers'],
  },
  registry: {
    about: 'Finds handlers by name and in folders.',
    begin: 'src/registry/handler-registry.ts',
    mayImport: ['errors', 'logging', 'handlers', 'model', 'workflow'],
  },
  db: {
    about:
      'The connection: pool, transactions, LISTEN. `embedded/` runs the server that is used without `DATABASE_URL`.',
    begin: 'src/db/database.ts',
    mayImport: ['time', 'errors', 'logging', 'config', 'metrics'],
  },
  store: {
    about: 'SQL statements, one verb per function. `events/` has the log of domain events.',
    begin: 'src/store/claim-steps.ts',
    mayImport: ['errors', 'db', 'model'],
  },
  engine: {
    about: 'The verbs, which combine statements into transactions. `events/` has those of domain events.',
    begin: 'src/engine/engine.ts',
    mayImport: ['time', 'errors', 'logging', 'metrics', 'db', 'store', 'model', 'expressions', 'template', 'tracing'],
  },
  events: {
    about:
      'Domain events. `publishing/` creates them, `delivery/` reads them from the log, `subscribing/` and `sinks/` receive them.',
    begin: 'src/events/delivery/event-deliverer.ts',
    mayImport: [
      'time',
      'errors',
      'logging',
      'metrics',
      'config',
      'db',
      'engine',
      'handlers',
      'model',
      'template',
      'tracing',
    ],
  },
  worker: {
    about:
      'Claims steps, runs them and records their outcomes. `lease/` proves that the worker is alive, `threads/` runs handlers in threads, `waits/` handles steps that wait, `http/` serves workers over HTTP, `bridge/` serves `EventPoller` and `StepExecutionSubscriber`.',
    begin: 'src/worker/worker.ts',
    mayImport: [
      'time',
      'errors',
      'logging',
      'metrics',
      'config',
      'engine',
      'registry',
      'expressions',
      'handlers',
      'events',
      'model',
      'template',
      'tracing',
    ],
  },
  server: {
    about: 'The HTTP pages of a worker: health, metrics, templates, configuration.',
    begin: 'src/server/worker-app.ts',
    mayImport: ['time', 'errors', 'contract', 'logging', 'metrics', 'config', 'engine', 'events', 'template', 'model'],
  },
  app: {
    about:
      'Assembles the rooms: `createTasker`. `process/` has `bootstrapWorker`, `server/` has `WorkerServer`, `project/` reads folders of templates and handlers.',
    begin: 'src/app/create-tasker.ts',
    mayImport: [
      'client',
      'time',
      'tracing',
      'errors',
      'config',
      'logging',
      'metrics',
      'model',
      'template',
      'workflow',
      'handlers',
      'registry',
      'db',
      'store',
      'engine',
      'events',
      'worker',
      'server',
    ],
  },
  rest: {
    about: 'The HTTP API of `tasker server`: tasks, steps, templates, dead letters, statistics.',
    begin: 'src/rest/rest-app.ts',
    mayImport: ['time', 'errors', 'contract', 'logging', 'model', 'template', 'engine', 'events', 'server', 'app'],
  },
  cli: {
    about:
      'The `tasker` command: a folder for each noun, whose `commands.ts` lists its commands. `show/` formats output.',
    begin: 'src/cli/program.ts',
    mayImport: [
      'client',
      'time',
      'app',
      'contract',
      'model',
      'rest',
      'server',
      'config',
      'expressions',
      'template',
      'errors',
      'logging',
    ],
  },
  orm: {
    about:
      'The adapters of `tasker-core/orm`: transactions of other libraries as clients. Imports none of these libraries.',
    begin: 'src/orm/adapted.ts',
    mayImport: ['errors', 'db'],
  },
  testing: {
    about: 'The test kit that users import from `tasker-core/testing`.',
    begin: 'src/testing/test-tasker.ts',
    mayImport: [
      'time',
      'app',
      'workflow',
      'errors',
      'config',
      'logging',
      'model',
      'template',
      'handlers',
      'registry',
      'db',
      'store',
      'engine',
      'events',
      'worker',
    ],
  },
  index: {
    about: 'The public names.',
    begin: 'src/index.ts',
    mayImport: [
      'client',
      'time',
      'app',
      'workflow',
      'config',
      'errors',
      'handlers',
      'registry',
      'template',
      'db',
      'engine',
      'model',
      'logging',
      'metrics',
      'events',
      'worker',
    ],
  },
};

/** Returns the table for CONTRIBUTING.md. */
export function roomsTable() {
  const rows = Object.entries(ROOMS).map(([room, { about, begin }]) => {
    const place = begin === `src/${room}.ts` ? begin : `src/${room}`;
    const [, name] = /([^/]+)$/.exec(begin);
    return `| \`${place}\` | ${about} | [${name}](${begin}) |`;
  });
  return ['| room | what is in it | begin with |', '|---|---|---|', ...rows].join('\n');
}

/** Returns the page with the current table. */
export function withRooms(page) {
  return page.replace(
    /(<!-- rooms: written by scripts\/write-rooms\.mjs -->\n)[\s\S]*?(<!-- end of rooms -->)/,
    (_, begin, end) => `${begin}\n${roomsTable()}\n\n${end}`,
  );
}
