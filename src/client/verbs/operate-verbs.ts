import type {
  Act,
  ActivationInfo,
  ApiKeyInfo,
  AuditEntryInfo,
  BrowserSession,
  BrowserSessionInfo,
  ChangedWorker,
  DeadDeliveryInfo,
  DomainEventInfo,
  DrainingWorker,
  EventGroupInfo,
  InstallationStatus,
  Me,
  NewApiKey,
  PauseInfo,
  PauseOutcome,
  PruneInfo,
  QueueInfo,
  Statistics,
  TasksSummary,
  TemplateProblemInfo,
  WorkerDetails,
  WorkerInfo,
} from '../api-types.ts';
import type { CallOptions } from '../client-options.ts';
import { path } from '../path.ts';
import { listing, type PageOf, type Send } from '../send.ts';
import type { TaskListQuery } from '../types.ts';

/** A handler that templates name. */
export interface HandlerInfo {
  namespace: string;
  handler: string;
  resolver: string | null;
  steps: { template: string; version: string; step: string }[];
  /** Empty if no live worker can run these steps. */
  workers: string[];
}

/** The verbs for workers. A worker is named by its name or id. */
export function workerVerbs(send: Send) {
  return {
    ...listing<'workers', WorkerInfo, { namespace?: string; state?: string; all?: boolean }>(
      send,
      '/v1/workers',
      'workers',
    ),
    /** Returns a worker with its running steps. */
    get: (name: string, options?: CallOptions) => send<WorkerDetails>('GET', path`/v1/workers/${name}`, {}, options),
    /** Asks a worker to stop taking steps. */
    drain: (name: string, by?: Act, options?: CallOptions) =>
      send<DrainingWorker>('POST', path`/v1/workers/${name}/drain`, by, options),
    /** Lets a drained worker take steps again. */
    resume: (name: string, by?: Act, options?: CallOptions) =>
      send<ChangedWorker>('POST', path`/v1/workers/${name}/resume`, by, options),
    /** Returns the queue of every namespace, or of one namespace. */
    queues: (query?: { namespace?: string }, options?: CallOptions) =>
      send<PageOf<'queues', QueueInfo>>('GET', '/v1/queues', query, options),
    /** Returns the handlers that templates name, with the live workers that have each. */
    handlers: (query?: { namespace?: string; limit?: number; cursor?: string }, options?: CallOptions) =>
      send<PageOf<'handlers', HandlerInfo>>('GET', '/v1/handlers', query, options),
  };
}

type NamespaceInfo = {
  name: string;
  templates: number;
  ready_steps: number;
  paused_steps: number;
  pause: PauseInfo | null;
};

/** The verbs for namespaces. */
export function namespaceVerbs(send: Send) {
  return {
    /** Returns the namespaces, with their ready steps and their pause. */
    list: (options?: CallOptions) => send<PageOf<'namespaces', NamespaceInfo>>('GET', '/v1/namespaces', {}, options),
    /** Pauses a namespace. Running steps finish. */
    pause: (name: string, by?: Act, options?: CallOptions) =>
      send<PauseOutcome>('POST', path`/v1/namespaces/${name}/pause`, by, options),
    /** Ends the pause of a namespace. */
    resume: (name: string, by?: Act, options?: CallOptions) =>
      send<PauseOutcome>('POST', path`/v1/namespaces/${name}/resume`, by, options),
  };
}

type Named = { namespace: string; name: string; version: string };
type Compared = Named & { digest: string; previous_digest: string | null; change: 'new' | 'changed' | 'unchanged' };
type TemplateDiff = {
  namespace: string;
  name: string;
  from_version: string;
  to_version: string;
  changes: { path: string; change: 'added' | 'removed' | 'changed'; from: unknown; to: unknown }[];
};

/** The verbs for the contents of templates. `source` is a template as YAML, or its content as an object. */
export function templateMoreVerbs(send: Send) {
  const at = ({ namespace, name, version }: Omit<Named, 'version'> & { version?: string | undefined }, act: string) =>
    version === undefined
      ? path`/v1/templates/${namespace}/${name}/${act}`
      : path`/v1/templates/${namespace}/${name}/${version}/${act}`;
  const body = (source: string | object) => (typeof source === 'string' ? { source } : source);
  return {
    /** Returns a template in the form of a template file. */
    source: (template: Named, options?: CallOptions) =>
      send<Named & { digest: string; template: Record<string, unknown> }>(
        'GET',
        at(template, 'source'),
        { format: 'json' },
        options,
      ),
    /** Returns the steps of a template and their dependencies. */
    graph: (template: Named, options?: CallOptions) =>
      send<
        Named & { nodes: { name: string; type: string; callable: string }[]; edges: { from: string; to: string }[] }
      >('GET', at(template, 'graph'), {}, options),
    /** Returns the changes from the version `from`. */
    diff: (template: Named, from: string, options?: CallOptions) =>
      send<TemplateDiff>('GET', at(template, 'diff'), { with: from }, options),
    /** Registers a template. New tasks use it immediately, and running tasks keep theirs. */
    register: (source: string | object, options?: CallOptions) =>
      send<Compared & { problems: TemplateProblemInfo[] }>('POST', '/v1/templates', body(source), options),
    /** Checks a template, and compares it with the registered one. */
    validate: (source: string | object, options?: CallOptions) =>
      send<{ valid: boolean; problems: TemplateProblemInfo[]; template: Compared | null }>(
        'POST',
        '/v1/templates/validate',
        body(source),
        options,
      ),
    /**
     * Makes a version of a template the active version, which tasks without a version are created from, and pins it.
     * `latest` makes the highest version active, and ends the pin.
     */
    activate: (template: Named, by?: Act, options?: CallOptions) =>
      send<ActivationInfo>('POST', at(template, 'activate'), by, options),
    /** Pauses a version of a template, or all its versions. Running steps finish. */
    pause: (template: Omit<Named, 'version'> & { version?: string | undefined }, by?: Act, options?: CallOptions) =>
      send<PauseOutcome>('POST', at(template, 'pause'), by, options),
    /** Ends the pause of a template. */
    resume: (template: Omit<Named, 'version'> & { version?: string | undefined }, by?: Act, options?: CallOptions) =>
      send<PauseOutcome>('POST', at(template, 'resume'), by, options),
  };
}

type EventQuery = { name?: string; task?: string; after?: string; before?: string };

/** The verbs for durable events, and for the groups that receive them. */
export function eventVerbs(send: Send) {
  return {
    ...listing<'events', DomainEventInfo, EventQuery>(send, '/v1/events', 'events'),
    /** Returns an event, and its envelope as sinks send it. */
    get: (id: string, options?: CallOptions) =>
      send<DomainEventInfo & { envelope: Record<string, unknown> }>('GET', path`/v1/events/${id}`, {}, options),
    /** Returns the groups that receive events, with the lag of each. */
    groups: (options?: CallOptions) => send<PageOf<'groups', EventGroupInfo>>('GET', '/v1/events/groups', {}, options),
    /** Returns dead deliveries, newest first. */
    dead: (query?: { group?: string; event?: string; limit?: number }, options?: CallOptions) =>
      send<PageOf<'dead', DeadDeliveryInfo>>('GET', '/v1/events/dead', query, options),
    /** Delivers past events to a group again, or counts them with `dry_run`. */
    replay: (body: Act & EventQuery & { group: string; dry_run?: boolean }, options?: CallOptions) =>
      send<{ group: string; replayed: number; would_replay?: number }>('POST', '/v1/events/replay', body, options),
    /** Delivers the dead deliveries of a group again: all of them, or the delivery of one event. */
    redeliver: (body: Act & { group: string; event?: string }, options?: CallOptions) =>
      send<{ group: string; redelivered: number }>('POST', '/v1/events/dead/redeliver', body, options),
    /** Deletes the dead deliveries of a group: all of them, or the delivery of one event. */
    discard: (body: Act & { group: string; event?: string }, options?: CallOptions) =>
      send<{ group: string; discarded: number }>('POST', '/v1/events/dead/discard', body, options),
    /** Removes a group, with its waiting events and dead deliveries. */
    removeGroup: (group: string, by?: Act, options?: CallOptions) =>
      send<{ group: string; removed: true }>('DELETE', path`/v1/events/groups/${group}`, by, options),
  };
}

type AuditQuery = {
  actor?: string;
  action?: string;
  door?: 'library' | 'cli' | 'rest' | 'lifecycle' | 'policy';
  after?: string;
  before?: string;
  task?: string;
  bulk?: number;
  target?: string;
  /** One entry for each bulk action. */
  fold?: boolean;
};
type StatsQuery = {
  namespace?: string;
  name?: string;
  template_version?: string;
  step?: string;
  since?: string;
  until?: string;
  sort?: 'time' | 'duration' | 'queueing' | 'failures' | 'count';
  limit?: number;
};
type Retention = {
  /** If null, tasks are kept forever. */
  policy: {
    rules: Record<string, unknown>[];
    archive: string | null;
    release_keys: boolean;
    share: number;
  } | null;
  events_retention_ms: number | null;
  audit_retention_ms: number | null;
  last_prune: PruneInfo | null;
};

/** The verbs for the installation as a whole. */
export function installationVerbs(send: Send) {
  return {
    /** Returns workers, queues, open tasks, counts of problems that need a person, and rates. */
    status: (options?: CallOptions) => send<InstallationStatus>('GET', '/v1/status', {}, options),
    /** Counts tasks by template and state, and groups the causes that block them. */
    summary: (
      query?: Omit<TaskListQuery, 'page' | 'per_page' | 'cursor' | 'sort' | 'order' | 'status'> & {
        ended_since?: string;
      },
      options?: CallOptions,
    ) => send<TasksSummary>('GET', '/v1/summary', query, options),
    /** Returns rates, durations and queueing times. Default: of the last hour. */
    stats: (query?: StatsQuery, options?: CallOptions) => send<Statistics>('GET', '/v1/stats', query, options),
    /** Returns the pauses in force. */
    pauses: (query?: { limit?: number }, options?: CallOptions) =>
      send<{ pauses: PauseInfo[] }>('GET', '/v1/pauses', query, options),
    /** Returns the policy for pruning tasks, and the last prune. */
    retention: (options?: CallOptions) => send<Retention>('GET', '/v1/retention', {}, options),
    /** Returns the configuration of the server, with secrets hidden. */
    config: (options?: CallOptions) => send<Record<string, unknown>>('GET', '/config', {}, options),
  };
}

/** The verb for the audit. */
export function auditVerbs(send: Send) {
  return listing<'entries', AuditEntryInfo, AuditQuery>(send, '/v1/audit', 'entries');
}

type KeyRequest = Act & {
  name: string;
  roles?: readonly string[];
  permissions?: readonly string[];
  /** Default: all. */
  namespaces?: readonly string[];
  expires_in_seconds?: number;
};

/** The verbs for credentials. A key is named by its name, prefix or id. */
export function credentialVerbs(send: Send) {
  return {
    /** Returns the caller and its rights. */
    me: (options?: CallOptions) => send<Me>('GET', '/v1/me', {}, options),
    /** Starts a browser session with the rights of the key or token, and sets its cookie. */
    beginSession: (options?: CallOptions) => send<BrowserSession>('POST', '/v1/session', undefined, options),
    /** Ends the session of the cookie. */
    endSession: (options?: CallOptions) => send<{ ended: true }>('DELETE', '/v1/session', undefined, options),
    /** Returns the API keys by name. `all`: also keys that can no longer be used. */
    keys: (query?: { all?: boolean }, options?: CallOptions) =>
      send<{ keys: ApiKeyInfo[] }>('GET', '/v1/auth/keys', query, options),
    /** Creates an API key. Only this response contains the key. */
    createKey: (request: KeyRequest, options?: CallOptions) =>
      send<NewApiKey>('POST', '/v1/auth/keys', request, options),
    /**
     * Replaces a key with a new one that has the same rights. The old key works for another `overlap_seconds` (default:
     * a day).
     */
    rotateKey: (
      key: string,
      how: Act & { overlap_seconds?: number; expires_in_seconds?: number } = {},
      options?: CallOptions,
    ) => send<NewApiKey>('POST', path`/v1/auth/keys/${key}/rotate`, how, options),
    /** Revokes the keys with this name, prefix or id. */
    revokeKey: (key: string, by: Act = {}, options?: CallOptions) =>
      send<{ keys: ApiKeyInfo[] }>('POST', path`/v1/auth/keys/${key}/revoke`, by, options),
    /** Returns the browser sessions that have not ended, newest first. */
    sessions: (query?: { subject?: string }, options?: CallOptions) =>
      send<{ sessions: BrowserSessionInfo[] }>('GET', '/v1/auth/sessions', query, options),
    /** Ends the session with this id, or all sessions of this subject. Returns the ended sessions. */
    endSessions: (session: string, by: Act = {}, options?: CallOptions) =>
      send<{ sessions: BrowserSessionInfo[] }>('DELETE', path`/v1/auth/sessions/${session}`, by, options),
  };
}
