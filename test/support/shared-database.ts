import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { type CreateTaskerOptions, createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { emptyDatabase, type Sql } from './database.ts';
import { template, withTestDefaults } from './setup.ts';

/** A tasker in a new namespace, which {@link sharedDatabase} provides to a test. */
export interface Shared {
  tasker: Tasker;
  /** A request for the template. */
  demo: { namespace: string; name: string; version: string };
  /** Creates another tasker on the same database and namespace, with the same options except these. */
  another(more?: CreateTaskerOptions): Promise<Tasker>;
}

type Steps = Parameters<typeof template>[0];
type Options = CreateTaskerOptions & { task?: Record<string, unknown> };

/**
 * Creates one database for all tests of a file, each in its own namespace. For tests that do not need an empty database,
 * because creating one takes longer than most of them. Call it where tests are declared.
 */
export function sharedDatabase(): {
  readonly url: string;
  sql: Sql;
  setup(steps: Steps, options?: Options): Promise<Shared>;
  /**
   * Returns a function that creates a tasker when it is first called, and then returns the same tasker until the end of
   * the file. For tests that differ only in their tasks, because starting a worker takes longer than most of them.
   */
  once(steps: Steps, options?: Options): () => Promise<Shared>;
} {
  let database: Awaited<ReturnType<typeof emptyDatabase>>;
  let namespaces = 0;
  const kept: Tasker[] = [];
  const setup = async (steps: Steps, { task, ...options }: Options, created: (tasker: Tasker) => void) => {
    const namespace = `n${++namespaces}`;
    const another = async (more: CreateTaskerOptions = {}) => {
      const tasker = await createTasker(
        withTestDefaults({
          templates: template(steps, { namespace, ...task }),
          databaseUrl: database.url,
          migrate: false,
          logger: silentLogger,
          ...options,
          ...more,
        }),
      );
      created(tasker);
      return tasker;
    };
    return {
      tasker: await another(),
      demo: { namespace, name: 'demo', version: '1.0.0', ...namesOf(task) },
      another,
    };
  };
  beforeAll(async () => {
    database = await emptyDatabase();
  });
  afterAll(async () => {
    await Promise.all(kept.map((tasker) => tasker.stop({ drainTimeoutMs: 100 })));
    await database.drop();
  });
  return {
    get url() {
      return database.url;
    },
    sql: (text, values) => database.sql(text, values),
    setup: (steps, options = {}) =>
      setup(steps, options, (tasker) => onTestFinished(() => tasker.stop({ drainTimeoutMs: 100 }))),
    once: (steps, options = {}) => {
      let made: Promise<Shared> | undefined;
      return () => (made ??= setup(steps, options, (tasker) => void kept.push(tasker)));
    },
  };
}

function namesOf({ name, version }: { name?: unknown; version?: unknown } = {}): { name?: string; version?: string } {
  return { ...(typeof name === 'string' && { name }), ...(typeof version === 'string' && { version }) };
}
