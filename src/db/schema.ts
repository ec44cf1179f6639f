import { createHash } from 'node:crypto';
import { DEFAULT_SCHEMA, isSchemaName, SCHEMA_RULE } from '../config/schema-name.ts';
import { TaskerError } from '../errors.ts';
import type { Statement } from './statement.ts';

/** Names of tables, types and functions. The others are the callables of built-in handlers. */
const QUALIFIED = /\btasker\.(?!(?:timer|signal|approval)')/g;
/** The name of the schema, for lookups in the catalogs. */
const AS_TEXT = /'tasker'/g;
const CREATED = /\bcreate schema tasker\b/g;
/** The id of an advisory lock, or the first of its two ids. */
const LOCK_ID = /\b(pg_(?:try_)?advisory_xact_lock(?:_shared)?\([^,)]+)/g;
/** The channel of a notification. */
const CHANNEL = /\bpg_notify\(([^,]+)/g;
const NOTIFY = /\bnotify tasker_/g;

/** The suffix of a channel begins here. */
const SUFFIX = DEFAULT_SCHEMA.length;

/**
 * The schema that contains all tables of an installation. Statements are written for the schema `tasker`. For another
 * schema, each statement is rewritten once: the names of tables, the ids of advisory locks, and the channels of
 * notifications. So several schemas of one database do not notice each other.
 */
export class Schema {
  readonly name: string;
  readonly #seed: number;
  readonly #texts = new WeakMap<Statement, string>();
  readonly #labelled = new WeakMap<Statement, Statement>();

  /** @throws TaskerError `bad_request` */
  constructor(name: string = DEFAULT_SCHEMA) {
    if (!isSchemaName(name)) {
      throw new TaskerError('bad_request', `schema must be ${SCHEMA_RULE}, got ${JSON.stringify(name)}`);
    }
    this.name = name;
    // 31 bits, because some locks have ids of 32 bits.
    this.#seed = createHash('sha256').update(name).digest().readUInt32BE() >>> 1;
  }

  get isDefault(): boolean {
    return this.name === DEFAULT_SCHEMA;
  }

  /** Returns the text of statements for this schema. */
  bind(text: string): string {
    if (this.isDefault) return text;
    return text
      .replace(QUALIFIED, `"${this.name}".`)
      .replace(AS_TEXT, `'${this.name}'`)
      .replace(CREATED, `create schema "${this.name}"`)
      .replace(LOCK_ID, `$1 # ${this.#seed}`)
      .replace(CHANNEL, `pg_notify('${this.name}' || substr($1, ${SUFFIX + 1})`)
      .replace(NOTIFY, `notify ${this.name}_`);
  }

  /** Returns the text of a statement for this schema. */
  textOf(statement: Statement): string {
    let text = this.#texts.get(statement);
    if (text === undefined) {
      text = this.bind(statement.text);
      this.#texts.set(statement, text);
    }
    return text;
  }

  /**
   * Returns a statement for this schema. Its text begins with its name in a comment, which shows in pg_stat_activity and
   * in logs.
   */
  statement(statement: Statement): Statement {
    let known = this.#labelled.get(statement);
    if (!known) {
      const text = `/* ${statement.name} */ ${this.textOf(statement).trim()}`;
      known = { name: statement.once ? '' : statement.name, text };
      this.#labelled.set(statement, known);
    }
    return known;
  }

  /** Returns the channel of this schema for a channel of the schema `tasker`. */
  channel(channel: string): string {
    return this.isDefault ? channel : this.name + channel.slice(SUFFIX);
  }

  /** The inverse of {@link channel}. */
  plainChannel(channel: string): string {
    return this.isDefault ? channel : DEFAULT_SCHEMA + channel.slice(this.name.length);
  }
}
