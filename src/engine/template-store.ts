import { isLockTimeout } from '../db/connection-error.ts';
import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import type { Db } from '../db/statement.ts';
import { messageOf, TaskerError } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { templateIndex } from '../model/ids.ts';
import { isStorableText } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { attemptsIfLost, mostAttempts } from '../model/retry-rules.ts';
import { HELD } from '../model/routes.ts';
import type { SchemaViolation } from '../model/schema-violations.ts';
import type { TaskLimits } from '../model/task-limits.ts';
import { type ActiveVersion, activeVersions, lockActive, readActive, setActive } from '../store/active-versions.ts';
import { storeLimits } from '../store/limits.ts';
import { lockPausesShared } from '../store/pauses/pauses.ts';
import {
  contentsOf,
  ensureNamespace,
  listTemplates,
  newestDigests,
  newestTemplate,
  registerTemplate,
  storeGraph,
  type TemplateListRow,
  type TemplateRow,
  type TemplateVersion,
  templatesById,
  versionsOf,
} from '../store/templates.ts';
import { compileSchema, compileStored } from '../template/json-schema-check.ts';
import { limitsOf } from '../template/limits-of.ts';
import { type HandlerReference, type JsonSchema, type TaskTemplate, waitsByType } from '../template/task-template.ts';
import { type TemplateChange, templateChanges } from '../template/template-changes.ts';
import { graphOf, type TemplateGraph } from '../template/template-graph.ts';
import { type RunnableTemplate, withUndoSteps } from '../template/undo-steps.ts';
import { compareVersions, descendingVersions, highestVersion } from '../template/version-order.ts';
import { type DeclaredEvents, declaredEvents } from './events/declared-events.ts';
import { DYNAMIC_LIMITS, type DynamicLimits, type Expanding, expansionOf } from './expansion.ts';
import { limitValuesOf } from './limits/limit-values.ts';
import { type SensitiveValues, sensitiveValues } from './sensitive.ts';

/** Imported when a template is read or written, because many commands do neither. */
const forms = () => import('../template/template-json.ts');
const digesting = () => import('../template/template-digest.ts');

/** A registered snapshot, ready for use. */
export interface Snapshot {
  id: number;
  namespaceId: number;
  digest: string;
  /** Whether a program registered it. False if it only arrived over HTTP. */
  byProgram: boolean;
  template: TaskTemplate;
  /** The steps that its tasks can have, by index: the steps of the template, and after them the steps that undo some of these. */
  steps: readonly RunnableTemplate[];
  /** The graph of {@link steps}. */
  graph: TemplateGraph;
  /** Null if its tasks cannot become stale. */
  limits: TaskLimits | null;
  checkInput: (value: unknown) => readonly SchemaViolation[];
  /** Returns the steps that a completed step creates, given its index and its result as plain JSON. */
  expansionOf: (idx: number, result: unknown) => Expanding;
  /** By step; undefined where the template has no `result_schema`. */
  checkResult: ((value: unknown) => readonly SchemaViolation[])[];
  /** By step; undefined if it declares no event. */
  events: readonly (DeclaredEvents | undefined)[];
  /** Whether a step waits by its type, without a user handler. */
  hasWaits: boolean;
  /** Whether a step has limits. Its steps that become ready are admitted before they can be claimed. */
  hasLimits: boolean;
  /** Whether a step with limits depends on the step, by step. */
  beforeLimited: readonly boolean[];
  /** Whether a step has expressions that are evaluated before it starts. */
  hasExpressions: boolean;
  /** Undefined if the template declares no sensitive values. */
  sensitive: SensitiveValues | undefined;
}

/** The active version of a template, which requests without a version mean. */
export interface ActiveTemplate {
  snapshot: Snapshot;
  /** Changes whenever the active version or the registered versions change. */
  revision: number;
  /** The other registered versions, the highest first. */
  others: readonly string[];
}

/** A registered version, and whether requests without a version mean it. */
export interface ListedTemplate extends TemplateListRow {
  active: boolean;
  /** Whether an activation keeps registrations of higher versions from replacing it as the active version. */
  pinned: boolean;
}

const NOTHING_WRONG: readonly SchemaViolation[] = [];

/** How a template arrived: a program with access to the database registered it, or a request over HTTP. */
export type TemplateArrival = 'program' | 'http';

/** Options of a {@link TemplateStore}. */
export interface TemplateStoreOptions {
  limits?: DynamicLimits;
  /** Whether handlers are loaded by file or package for templates that only arrived over HTTP. Default false. */
  filesForHttpTemplates?: boolean | undefined;
}

/** The template snapshots of one database. Registers them, loads each once, and compiles them. */
export class TemplateStore {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #limits: DynamicLimits;
  readonly #filesForHttpTemplates: boolean;
  readonly #byId = new KeptSnapshots<Snapshot>();
  /** When the arrival of a snapshot was last read. Only for snapshots whose files are not loaded because of it. */
  readonly #arrivalReadAt = new WeakMap<Snapshot, number>();
  readonly #newest = new NewestSnapshots<Snapshot>();
  readonly #active = new NewestSnapshots<Omit<ActiveTemplate, 'snapshot'> & { version: string }>();
  /** The namespaces in which a known template has steps that wait. */
  readonly namespacesWithWaits = new Set<number>();
  /** Whether any known template has limits. */
  anyLimits = false;

  constructor(
    database: Database,
    logger: Logger,
    { limits = DYNAMIC_LIMITS, filesForHttpTemplates = false }: TemplateStoreOptions = {},
  ) {
    this.#database = database;
    this.#logger = logger;
    this.#limits = limits;
    this.#filesForHttpTemplates = filesForHttpTemplates;
  }

  /**
   * Registers the templates of this program, in order. Skips templates that are already the newest registration and need
   * not become active, so most starts write nothing. With `keepContent`, every template is checked before the first one is
   * registered.
   * @throws TaskerError `template_changed` with `keepContent`, if a registered version has different content
   */
  async registerAll(templates: readonly TaskTemplate[], { keepContent = false }: RegisterOptions = {}): Promise<void> {
    if (templates.length === 0) return;
    const { digestOf } = await digesting();
    const [rows, active] = await Promise.all([
      newestDigests(this.#database, templates),
      activeVersions(this.#database, templates),
    ]);
    const newest = new Map(rows.map((row) => [nameOf(row), row]));
    const activeOf = new Map(active.map((row) => [unversioned(row), row]));
    const differs = (template: TaskTemplate) =>
      (newest.get(nameOf(template))?.digest ?? digestOf(template)) !== digestOf(template);
    if (keepContent) {
      for (const template of templates.filter(differs)) await this.#checkContent(this.#database, template);
    }
    for (const template of templates) {
      const [key, digest] = [nameOf(template), digestOf(template)];
      const known = newest.get(key);
      const isKnown = known?.byProgram === true && known.digest === digest;
      if (isKnown && !replaces(template.version, activeOf.get(unversioned(template)))) continue;
      await this.register(template, { arrival: 'program', keepContent });
      newest.set(key, { ...template, digest, byProgram: true });
    }
  }

  /**
   * Stores a snapshot and its graph. The same digest is the same snapshot. New tasks use the newest registration. A
   * version that is higher than the active version becomes active, unless an activation has pinned the active version.
   * With `keepContent`, the content of a registered version stays, and new tasks use it.
   * @throws TaskerError `template_changed` with `keepContent`, if a registered version never had this content
   */
  async register(
    template: TaskTemplate,
    { arrival, keepContent = false }: RegisterOptions & { arrival: TemplateArrival },
  ): Promise<Snapshot> {
    const steps = withUndoSteps(template.steps);
    const graph = graphOf({ ...template, steps });
    const [{ digestOf }, { templateToJson }] = await Promise.all([digesting(), forms()]);
    const digest = digestOf(template);
    const flowLimits = limitValuesOf(template);
    let changed: string[] = [];
    const { id, namespaceId, byProgram, other, kept } = await this.#changing(template, async (tx) => {
      await lockPausesShared(tx);
      const namespaceId = await ensureNamespace(tx, template.namespace);
      if (flowLimits.length > 0)
        changed = await storeLimits(tx, { namespaceId, template: template.name, limits: flowLimits });
      await makeActive(tx, namespaceId, template);
      const row = {
        namespaceId,
        name: template.name,
        version: template.version,
        digest,
        identityStrategy: template.identityStrategy,
        initialCount: graph.initial.filter(Boolean).length,
        rootCount: graph.roots.filter((idx) => graph.initial[idx]).length,
        definition: JSON.stringify(templateToJson(template)),
        limits: limitsOf(template.lifecycle),
        waits: hasWaits(template),
        byProgram: arrival === 'program',
        routed: graph.routed,
        undoable: graph.undoes.size > 0,
        limited: flowLimits.length > 0,
      };
      const [before] = await newestDigests(tx, [template]);
      const other = before && before.digest !== digest ? before.digest : undefined;
      if (keepContent && other !== undefined) {
        const { id, byProgram, isNewest } = await this.#checkContent(tx, template);
        if (!isNewest) return { id, namespaceId, byProgram, other, kept: true };
      }
      const { id, fresh, byProgram } = await registerTemplate(tx, row);
      if (fresh) await storeGraph(tx, id, storedGraph(steps, graph));
      return { id, namespaceId, byProgram, other, kept: false };
    });
    if (kept) {
      this.#logger.warn(
        { template: nameOf(template), digest, other },
        `template ${nameOf(template)} had this content earlier (${digest.slice(0, 12)}); new tasks use the content that replaced it (${other!.slice(0, 12)}); to go back, start with --replace (replaceTemplates: true), or activate another version`,
      );
    } else if (other !== undefined && !keepContent) {
      this.#logger.warn(
        { template: nameOf(template), digest, other },
        `template ${nameOf(template)} has different content (${digest.slice(0, 12)}) than the one registered earlier under this version (${other.slice(0, 12)}); new tasks use this content, running tasks keep theirs; raise the version to distinguish them`,
      );
    }
    if (changed.length > 0) {
      this.#logger.info({ template: nameOf(template), limits: changed }, 'limits changed by a registration');
    }
    this.forgetActive(template);
    // The stored steps may be in another order than those of this program, and tasks name their steps by position.
    if (kept) return (await this.byIds([id])).get(id)!;
    const known = this.#byId.get(id);
    // A snapshot that arrived over HTTP is compiled again once a program has registered it.
    const isCurrent = known?.byProgram === byProgram;
    const snapshot = isCurrent ? known : this.#compile({ id, namespaceId, digest, byProgram, template, graph });
    this.#byId.put(snapshot);
    this.#newest.put(nameOf(template), snapshot);
    return snapshot;
  }

  /**
   * Compares a template with the contents that its version has had, as this program reads them. Returns the snapshot
   * with the same content, and whether it is the newest.
   * @throws TaskerError `template_changed` with the differences, if there is none
   */
  async #checkContent(db: Db, template: TaskTemplate): Promise<{ id: number; byProgram: boolean; isNewest: boolean }> {
    const [{ templateFromJson }, { contentOf }] = await Promise.all([forms(), import('../template/content-of.ts')]);
    const contents = await contentsOf(db, template);
    const wanted = contentOf(template);
    const readable = contents.map(({ definition }) => contentOf(templateFromJson(JSON.parse(definition))));
    const same = readable.findIndex((content) => JSON.stringify(content) === JSON.stringify(wanted));
    if (same === -1) throw contentChanged(template, templateChanges(readable[0], wanted));
    const { id, byProgram } = contents[same]!;
    return { id, byProgram, isNewest: same === 0 };
  }

  /** Runs a transaction that may change the active version of a template. */
  #changing<T>(template: TemplateName, work: (tx: Db) => Promise<T>): Promise<T> {
    return this.#database.transaction(CHANGING_ACTIVE, work).catch((error: unknown) => {
      throw isLockTimeout(error) ? activeIsHeld(template, error) : error;
    });
  }

  /** Returns snapshots by id. Loads unknown snapshots in one statement. */
  async byIds(ids: Iterable<number>): Promise<Map<number, Snapshot>> {
    const { known, unknown } = this.#knownOf(ids);
    if (unknown.length > 0)
      for (const row of await templatesById(this.#database, unknown)) known.set(row.id, await this.#load(row));
    for (const id of unknown) if (!known.has(id)) throw notStored(id);
    return known;
  }

  /**
   * Splits the ids into known and unknown ones. The references to known snapshots keep them from being dropped while
   * the others are loaded.
   */
  #knownOf(ids: Iterable<number>): { known: Map<number, Snapshot>; unknown: number[] } {
    const known = new Map<number, Snapshot>();
    const unknown: number[] = [];
    for (const id of new Set(ids)) {
      const snapshot = this.#byId.get(id);
      if (snapshot && !this.#mayBeOutdated(snapshot)) known.set(id, snapshot);
      else unknown.push(id);
    }
    return { known, unknown };
  }

  /** Returns whether {@link load} would read nothing for a snapshot. */
  isCurrent(id: number): boolean {
    const snapshot = this.#byId.get(id);
    return snapshot !== undefined && !this.#mayBeOutdated(snapshot);
  }

  /** Returns whether a program in another process may have registered a snapshot that only arrived over HTTP. */
  #mayBeOutdated(snapshot: Snapshot): boolean {
    const readAt = this.#arrivalReadAt.get(snapshot);
    return readAt !== undefined && performance.now() - readAt > CACHED_FOR_MS;
  }

  /**
   * Loads snapshots for {@link get}. Returns the ids that could not be loaded, with the errors. A newer program may
   * have stored a template that this one cannot read.
   */
  async load(ids: Iterable<number>, db: Db = this.#database): Promise<Map<number, Error>> {
    const unreadable = new Map<number, Error>();
    const { known, unknown } = this.#knownOf(ids);
    if (unknown.length === 0) return unreadable;
    for (const row of await templatesById(db, unknown)) {
      try {
        known.set(row.id, await this.#load(row));
      } catch (error) {
        unreadable.set(row.id, unreadableTemplate(row, error));
      }
    }
    for (const id of unknown) if (!known.has(id) && !unreadable.has(id)) unreadable.set(id, notStored(id));
    // Snapshots that were known before may have become the oldest in the meantime.
    for (const snapshot of known.values()) this.#byId.put(snapshot);
    return unreadable;
  }

  /** Returns a snapshot that is already loaded. */
  get(id: number): Snapshot {
    const snapshot = this.#byId.get(id);
    if (!snapshot) throw notStored(id);
    return snapshot;
  }

  /** Returns whether {@link get} would find a snapshot. */
  has(id: number): boolean {
    return this.#byId.get(id) !== undefined;
  }

  /**
   * Returns the snapshot for a new task of this name and version.
   * @throws TaskerError `template_not_found`, with similar names
   */
  async newest(namespace: string, name: string, version: string): Promise<Snapshot> {
    const key = `${namespace}/${name}@${version}`;
    const known = this.#newest.get(key);
    if (known) return known;
    const row = isStorableText(key) ? await newestTemplate(this.#database, namespace, name, version) : undefined;
    if (!row) throw await this.#notFound(key, namespace, name);
    const snapshot = await this.#load(row);
    this.#newest.put(key, snapshot, { uses: 1 });
    return snapshot;
  }

  /**
   * Returns the active version of a template, which may be a second old. A creation compares its revision.
   * @throws TaskerError `template_not_found`, with similar names
   */
  async active(namespace: string, name: string): Promise<ActiveTemplate> {
    const key = unversioned({ namespace, name });
    const known = this.#active.get(key);
    const kept = known && this.#newest.get(`${key}@${known.version}`);
    if (kept) return { snapshot: kept, revision: known.revision, others: known.others };
    const row = isStorableText(key) ? await readActive(this.#database, namespace, name) : undefined;
    if (!row) throw await this.#notFound(key, namespace, name);
    const { revision, version } = row;
    const others = descendingVersions(row.versions.filter((other) => other !== version));
    const snapshot = await this.#load(row);
    // Counts this lookup. If the version was known, the lookup above has counted it.
    if (!known) this.#newest.get(nameOf(row));
    this.#active.put(key, { version, revision, others });
    this.#newest.put(nameOf(row), snapshot, { uses: 1 });
    return { snapshot, revision, others };
  }

  /** Makes the next call of {@link active} read the row again. */
  forgetActive(template: TemplateName): void {
    this.#active.delete(unversioned(template));
  }

  /** Statistics of the cache of {@link newest}. */
  get kept(): KeptStats {
    return this.#newest.stats;
  }

  /** Age and uses of an entry in the cache of {@link newest}. */
  keptOf(version: TemplateVersion): KeptEntry | undefined {
    return this.#newest.entry(nameOf(version));
  }

  /** Returns every registered name and version. */
  async list(): Promise<ListedTemplate[]> {
    const [rows, active] = await Promise.all([listTemplates(this.#database), activeVersions(this.#database)]);
    const activeOf = new Map(active.map((row) => [unversioned(row), row]));
    return rows.map((row) => {
      const known = activeOf.get(unversioned(row));
      const isActive = row.version === known?.version;
      return { ...row, active: isActive, pinned: isActive && known?.pinned === true };
    });
  }

  async #notFound(key: string, namespace: string, name: string): Promise<TaskerError> {
    const isVersioned = key !== unversioned({ namespace, name });
    const rows = await listTemplates(this.#database);
    const sameName = rows.filter((row) => unversioned(row) === unversioned({ namespace, name })).map(nameOf);
    const nearOf = (one: typeof nameOf) => {
      const names = nearNames(key, rows.map(one));
      return names.flatMap((near) => rows.filter((row) => one(row) === near).map(nameOf));
    };
    const elsewhere = rows.filter((row) => row.name === name).map(nameOf);
    const versions = sameName.length > 0 ? sameName : elsewhere;
    const near = versions.length > 0 ? versions : nearOf(isVersioned ? nameOf : unversioned);
    // The newest version is the last, and the most similar name is the first.
    const shown = versions.length > 0 ? near.slice(-MOST_NAMED) : near.slice(0, MOST_NAMED);
    const more = near.length > shown.length ? `, and ${near.length - shown.length} more` : '';
    const hint =
      near.length > 0
        ? `there ${near.length === 1 ? 'is' : 'are'} ${shown.join(', ')}${more}`
        : 'no registered template has a similar name; a worker or createTasker registers the templates passed to it';
    return new TaskerError('template_not_found', `template ${key} not found; ${hint}`, { details: { near } });
  }

  async #load(row: TemplateRow): Promise<Snapshot> {
    const { templateFromJson } = await forms();
    const known = this.#byId.get(row.id);
    if (known && known.byProgram === row.byProgram) {
      if (this.#arrivalReadAt.has(known)) this.#arrivalReadAt.set(known, performance.now());
      return known;
    }
    const template = templateFromJson(JSON.parse(row.definition));
    const { id, namespaceId, digest, byProgram } = row;
    const graph = graphOf({ ...template, steps: withUndoSteps(template.steps) });
    const parts = { id, namespaceId, digest, byProgram, template, graph };
    // Its schemas were checked when it was registered.
    const snapshot = this.#compile(parts, compileStored);
    this.#byId.put(snapshot);
    return snapshot;
  }

  #compile(
    parts: Pick<Snapshot, 'id' | 'namespaceId' | 'digest' | 'byProgram' | 'template' | 'graph'>,
    compile: typeof compileSchema = compileSchema,
  ): Snapshot {
    const { graph, byProgram } = parts;
    const loadsFiles = byProgram || this.#filesForHttpTemplates;
    const template = loadsFiles ? parts.template : withoutFiles(parts.template);
    const steps = withUndoSteps(template.steps);
    const waits = hasWaits(template);
    if (waits) this.namespacesWithWaits.add(parts.namespaceId);
    const isLimited = steps.map(({ limits }) => limits !== null && limits.length > 0);
    if (isLimited.includes(true)) this.anyLimits = true;
    const checkOf = (schema: JsonSchema | null) => (schema ? compile(schema) : () => NOTHING_WRONG);
    const snapshot: Snapshot = {
      ...parts,
      template,
      steps,
      checkInput: checkOf(template.inputSchema),
      checkResult: steps.map((step) => checkOf(step.resultSchema)),
      events: steps.map(declaredEvents),
      limits: limitsOf(template.lifecycle),
      hasWaits: waits,
      hasLimits: isLimited.includes(true),
      beforeLimited: graph.children.map((children) => children.some((child) => isLimited[child])),
      hasExpressions: steps.some(
        ({ when, inputs, message, child, undoes }) =>
          when !== null || inputs || message !== null || child || undoes !== null,
      ),
      sensitive: sensitiveValues(template),
      expansionOf: (idx, result) => expansionOf({ template, graph }, { idx, result, limits: this.#limits }),
    };
    if (!loadsFiles && steps.some(namesFile)) this.#arrivalReadAt.set(snapshot, performance.now());
    return snapshot;
  }
}

/** The name of a template in its namespace. */
export type TemplateName = Pick<TemplateVersion, 'namespace' | 'name'>;

function unversioned({ namespace, name }: TemplateName): string {
  return `${namespace}/${name}`;
}

/** Returns whether the registration of a version changes the active version. */
function replaces(version: string, active: ActiveVersion | undefined): boolean {
  return active === undefined || (!active.pinned && compareVersions(version, active.version) > 0);
}

/** How a template is registered. */
export interface RegisterOptions {
  /** Whether a registered version keeps its content. Default false: the given content replaces it. */
  keepContent?: boolean;
}

/** Maximum number of templates that an error names. */
const MOST_NAMED = 5;
/** Maximum number of differences that an error lists. */
const LISTED_CHANGES = 20;

function contentChanged(template: TaskTemplate, changes: readonly TemplateChange[]): TaskerError {
  const lines = changes
    .slice(0, LISTED_CHANGES)
    .map(({ path, from, to }) => `  ${path}: ${shown(from)} → ${shown(to)}`);
  if (changes.length > LISTED_CHANGES) lines.push(`  and ${changes.length - LISTED_CHANGES} more`);
  return new TaskerError(
    'template_changed',
    `template ${nameOf(template)} is registered with different content:\n${lines.join('\n')}\ngive it a new version, or start with --replace (replaceTemplates: true) to replace the registered content; running tasks keep theirs`,
    { details: { template: nameOf(template), changes: changes.slice(0, LISTED_CHANGES) } },
  );
}

/** Returns a value of a template as short text. */
function shown(value: unknown): string {
  const text = value === null ? 'none' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

const LOCK_SECONDS = 10;
/** Creations hold the row of the active version until they commit, so a change of it may have to wait. */
export const CHANGING_ACTIVE = opening({
  lock_timeout: `${LOCK_SECONDS}s`,
  idle_in_transaction_session_timeout: '30s',
});

/** Returns the error for a change of an active version that waited too long for a lock. */
export function activeIsHeld(template: TemplateName, cause: unknown): TaskerError {
  return new TaskerError(
    'timeout',
    `template ${unversioned(template)} is unchanged: a transaction that creates a task of it, pauses it or registers it has been open for ${LOCK_SECONDS} s; end that transaction and try again`,
    { cause },
  );
}

/**
 * Makes a version active if it is higher than the active version, unless that one is pinned. A version that is new
 * changes the row in any case, because creations compare identities with those of all registered versions. Call it
 * before the version is registered.
 */
async function makeActive(tx: Db, namespaceId: number, { namespace, name, version }: TaskTemplate): Promise<void> {
  const [[before], known] = [await activeVersions(tx, [{ namespace, name }]), await versionsOf(tx, namespace, name)];
  if (before && known.includes(version) && !replaces(version, before)) return;
  const highest = highestVersion([...known, version])!;
  const active = await lockActive(tx, { namespaceId, name }, highest);
  if (active.fresh) return;
  await setActive(tx, { namespaceId, name }, replaces(version, active) ? { ...active, version } : active);
}

/** Returns `namespace/name@version`. */
export function nameOf(template: TemplateVersion): string {
  return `${template.namespace}/${template.name}@${template.version}`;
}

function notStored(id: number): TaskerError {
  return new TaskerError('template_not_found', `template snapshot ${id} is not in the database`);
}

function unreadableTemplate({ id, namespace, name, version }: TemplateRow, cause: unknown): TaskerError {
  const message = `template ${namespace}/${name}@${version} (snapshot ${id}): ${messageOf(cause)}`;
  return new TaskerError('template_invalid', message, { cause });
}

/** Returns a template whose handlers are not loaded from files or packages. */
function withoutFiles(template: TaskTemplate): TaskTemplate {
  const unloaded = (handler: HandlerReference) => ({ ...handler, loadsFiles: false as const });
  const steps = template.steps.map((step) => ({
    ...step,
    handler: unloaded(step.handler),
    undo: step.undo && { ...step.undo, handler: unloaded(step.undo.handler) },
  }));
  return { ...template, steps };
}

/** Returns whether the handler of a step may be a file or a package. */
function namesFile({ handler }: RunnableTemplate): boolean {
  return /^[.@]/.test(handler.callable);
}

function hasWaits({ steps }: TaskTemplate): boolean {
  return steps.some((step) => waitsByType(step.type));
}

/** The value of `remaining` with which a step begins. */
function countedParents({ parents, runIf, joins }: TemplateGraph, idx: number): number {
  if (joins.has(idx)) return HELD + 1;
  return parents[idx]!.length + (runIf[idx] === 'failed' ? HELD : 0);
}

function storedGraph(steps: readonly RunnableTemplate[], graph: TemplateGraph) {
  return {
    steps: steps.map((step, idx) => ({
      name: step.name,
      callable: step.handler.callable,
      parents: countedParents(graph, idx),
      initial: graph.initial[idx]!,
      maxAttempts: mostAttempts(step.retry),
      retryable: step.retry.retryable,
      lostAttempts: step.retry.rules && attemptsIfLost(step.retry),
      retryMs: step.retry.forMs,
      resolver: step.handler.resolver,
    })),
    // The program decides the steps of elements.
    edges: graph.parents.flatMap((parents, child) =>
      graph.elementOf.has(child)
        ? []
        : [...new Set([...parents, ...graph.guards[child]!])].map((parent) => ({ parent, child })),
    ),
  };
}

/** Number of unused snapshots to keep: as many as one claim can need. */
export const MAX_KEPT = 1_000;

/**
 * Snapshots by their ids. The newest are kept. Older snapshots are dropped once no task in this process uses them, so
 * that templates that are registered repeatedly do not fill the memory.
 */
export class KeptSnapshots<S extends { id: number }> {
  readonly #kept = new Map<number, S>();
  readonly #used = new Map<number, WeakRef<S>>();
  readonly #collected = new FinalizationRegistry<number>((id) => {
    if (this.#used.get(id)?.deref() === undefined) this.#used.delete(id);
  });

  /** Returns a snapshot that is kept or still in use. A dropped snapshot that is still in use is kept again. */
  get(id: number): S | undefined {
    const kept = this.#kept.get(id);
    if (kept) return kept;
    const used = this.#used.get(id)?.deref();
    if (used) this.put(used);
    return used;
  }

  put(snapshot: S): void {
    // Registered once per drop. Otherwise, registrations of a snapshot that stays in use would accumulate.
    if (this.#used.delete(snapshot.id)) this.#collected.unregister(snapshot);
    this.#kept.delete(snapshot.id);
    this.#kept.set(snapshot.id, snapshot);
    if (this.#kept.size <= MAX_KEPT) return;
    const oldest = this.#kept.values().next().value!;
    this.#kept.delete(oldest.id);
    this.#used.set(oldest.id, new WeakRef(oldest));
    this.#collected.register(oldest, oldest.id, oldest);
  }
}

/** How long the newest registration of a version is cached, in milliseconds. Another process may register a newer one. */
const CACHED_FOR_MS = 1_000;

/** A cached name and version. */
export interface KeptEntry {
  /** Seconds since the current snapshot was first cached. */
  ageSeconds: number;
  /** Number of lookups. */
  uses: number;
}

/** Statistics of the cache. */
export interface KeptStats {
  cached: number;
  hits: number;
  misses: number;
  /** Number of snapshots that were dropped because there are too many names and versions. */
  evictions: number;
  /** Null if the cache is empty. */
  oldestAgeSeconds: number | null;
  averageUses: number;
}

interface Entry<S> {
  snapshot: S;
  until: number;
  since: number;
  uses: number;
}

/** Caches the newest snapshot of each name and version for a second, so that few task creations query the database. */
export class NewestSnapshots<S> {
  readonly #entries = new Map<string, Entry<S>>();
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  get(key: string): S | undefined {
    const entry = this.#entries.get(key);
    if (entry) entry.uses++;
    if (entry && entry.until > performance.now()) {
      this.#hits++;
      return entry.snapshot;
    }
    this.#misses++;
    return undefined;
  }

  /** Caches a snapshot. `uses`: number of lookups before it was known. */
  put(key: string, snapshot: S, { uses = 0 }: { uses?: number } = {}): void {
    const now = performance.now();
    const before = this.#entries.get(key);
    const until = now + CACHED_FOR_MS;
    if (before?.snapshot === snapshot) before.until = until;
    else this.#entries.set(key, { snapshot, until, since: now, uses: before?.uses ?? uses });
    if (this.#entries.size <= MAX_KEPT) return;
    this.#entries.delete(this.#entries.keys().next().value!);
    this.#evictions++;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  entry(key: string): KeptEntry | undefined {
    const entry = this.#entries.get(key);
    return entry && { ageSeconds: secondsSince(entry.since), uses: entry.uses };
  }

  get stats(): KeptStats {
    const entries = [...this.#entries.values()];
    const uses = entries.reduce((sum, entry) => sum + entry.uses, 0);
    return {
      cached: entries.length,
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
      oldestAgeSeconds: entries.length === 0 ? null : Math.max(...entries.map(({ since }) => secondsSince(since))),
      averageUses: entries.length === 0 ? 0 : Math.round((100 * uses) / entries.length) / 100,
    };
  }
}

function secondsSince(at: number): number {
  return Math.round(performance.now() - at) / 1_000;
}

/** Returns whether a template has limits. Unknown templates may have them. */
export function hasLimits(templates: TemplateStore, templateId: number): boolean {
  return templates.has(templateId) ? templates.get(templateId).hasLimits : templates.anyLimits;
}

/** Returns whether a step with limits depends on this step. */
export function precedesLimits(
  templates: TemplateStore,
  { templateId, idx }: { templateId: number; idx: number },
): boolean {
  if (!templates.has(templateId)) return templates.anyLimits;
  return templates.get(templateId).beforeLimited[templateIndex(idx)] === true;
}
