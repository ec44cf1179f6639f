// Written by scripts/write-verbs.mjs from src/contract. Do not edit it; run `npm run reference`.
import type { Shape } from './codec.ts';

const StepReadiness = {
  fields:
    'workflow_step_uuid task_uuid named_step_uuid name current_state dependencies_satisfied retry_eligible ready_for_execution last_failure_at next_retry_at total_parents completed_parents attempts max_attempts backoff_request_seconds last_attempted_at',
} satisfies Shape;
const StaleNote = { fields: 'rule minutes since at' } satisfies Shape;
const Pause = { fields: 'scope target paused_at paused_by reason' } satisfies Shape;
const CreatedTask = {
  fields:
    'task_uuid name namespace version status created_at updated_at completed_at context output output_error initiator source_system reason priority tags correlation_id parent_correlation_id total_steps pending_steps in_progress_steps completed_steps failed_steps ready_steps execution_status recommended_action completion_percentage health_status steps waiting_steps skipped_steps handled_failures starts_at reruns rerun_at copy_of created_with stale paused created outcome rule replaced_task_uuid',
  parts: { steps: { list: StepReadiness }, stale: StaleNote, paused: { list: Pause } },
} satisfies Shape;
const ListedTask = {
  fields:
    'task_uuid name namespace version status created_at updated_at completed_at context output output_error initiator source_system reason priority tags correlation_id parent_correlation_id total_steps pending_steps in_progress_steps completed_steps failed_steps ready_steps execution_status recommended_action completion_percentage health_status steps waiting_steps skipped_steps handled_failures starts_at reruns rerun_at copy_of created_with stale paused first_error',
  parts: {
    steps: { list: StepReadiness },
    stale: StaleNote,
    paused: { list: Pause },
    first_error: { fields: 'step error_type message' },
  },
} satisfies Shape;
const Pagination = {
  fields:
    'page per_page total_count total_pages has_next has_previous next_cursor previous_cursor total_is_exact timed_out lag_ms',
} satisfies Shape;
const TaskListResponse = {
  fields: 'tasks pagination',
  parts: { tasks: { list: ListedTask }, pagination: Pagination },
} satisfies Shape;
const TaskResponse = {
  fields:
    'task_uuid name namespace version status created_at updated_at completed_at context output output_error initiator source_system reason priority tags correlation_id parent_correlation_id total_steps pending_steps in_progress_steps completed_steps failed_steps ready_steps execution_status recommended_action completion_percentage health_status steps waiting_steps skipped_steps handled_failures starts_at reruns rerun_at copy_of created_with stale paused',
  parts: { steps: { list: StepReadiness }, stale: StaleNote, paused: { list: Pause } },
} satisfies Shape;
const TaskSummaryResponse = {
  fields: 'task template steps dlq links',
  parts: {
    task: {
      fields:
        'task_uuid name namespace version status created_at updated_at completed_at initiator source_system reason correlation_id total_steps pending_steps in_progress_steps completed_steps failed_steps execution_status recommended_action completion_percentage health_status',
    },
    template: {
      fields: 'steps',
      parts: { steps: { list: { fields: 'name step_type handler dependencies retryable max_attempts element_of' } } },
    },
    steps: {
      list: {
        fields:
          'step_uuid name current_state created_at completed_at last_attempted_at attempts max_attempts dependencies_satisfied retry_eligible error',
        parts: { error: { fields: 'error_type retryable status_code' } },
      },
    },
    dlq: { fields: 'in_dlq dlq_reason resolution_status' },
    links: { fields: 'task steps dlq' },
  },
} satisfies Shape;
const TaskContext = { fields: 'task_uuid context' } satisfies Shape;
const Task = {
  fields:
    'task_uuid name namespace version status created_at updated_at completed_at context output output_error initiator source_system created_with reason priority tags correlation_id parent_correlation_id reruns rerun_at copy_of total_steps pending_steps in_progress_steps completed_steps failed_steps ready_steps waiting_steps skipped_steps handled_failures starts_at execution_status recommended_action completion_percentage health_status stale paused',
  parts: { stale: StaleNote, paused: { list: Pause } },
} satisfies Shape;
const StepWait = { fields: 'kind since until due_at calls settings progress' } satisfies Shape;
const TaskExplanation = {
  fields: 'task summary steps',
  parts: {
    task: Task,
    steps: {
      list: {
        fields: 'step template_step_name state why error_type waits_for until wait handler held_by',
        parts: { wait: StepWait },
      },
    },
  },
} satisfies Shape;
const StepError = {
  fields: 'message error_type retryable backtrace status_code context',
  sameNames: true,
} satisfies Shape;
const HistoryEntry = {
  fields:
    'step kind attempt rerun what to_state started_at at duration_ms who why error error_code metadata retry_delay_ms calls dropped_result',
  parts: { error: StepError, calls: { fields: 'count first last' } },
} satisfies Shape;
const TaskHistory = {
  fields: 'entries next_cursor previous_cursor',
  parts: { entries: { list: HistoryEntry } },
} satisfies Shape;
const DomainEvent = {
  fields:
    'id event_id name version task_uuid step_uuid step_name namespace correlation_id attempt publisher fired_at payload metadata execution_result',
} satisfies Shape;
const TaskEvents = {
  fields: 'events next_cursor previous_cursor',
  parts: { events: { list: DomainEvent } },
} satisfies Shape;
const StepResults = {
  fields: 'step_uuid success result metadata status error orchestration_metadata',
  parts: {
    metadata: {
      fields:
        'execution_time_ms handler_version retryable completed_at worker_id worker_hostname started_at custom error_code error_type context',
      sameNames: true,
    },
    error: StepError,
  },
  sameNames: true,
} satisfies Shape;
const ListProgress = { fields: 'total started open completed failed' } satisfies Shape;
const StepElement = { fields: 'number key' } satisfies Shape;
const ExportedStep = {
  fields:
    'step_uuid task_uuid name created_at updated_at completed_at results current_state dependencies_satisfied retry_eligible ready_for_execution total_parents completed_parents attempts max_attempts last_failure_at next_retry_at last_attempted_at template_step_name worker wait elements element rerun event_problems callable depends_on why',
  parts: {
    results: StepResults,
    wait: StepWait,
    elements: ListProgress,
    element: StepElement,
    event_problems: { list: { fields: 'event kind message path' } },
  },
} satisfies Shape;
const TaskWait = {
  fields: 'step step_uuid kind attempt since until due_at calls settings progress ended_at ended_by',
} satisfies Shape;
const AuditEntry = {
  fields: 'id at actor door action task_uuid template step target from_state to_state reason bulk_id details entries',
} satisfies Shape;
const TaskExport = {
  fields: 'tasker_version exported_at summary task steps history waits signals events audit omitted',
  parts: {
    task: Task,
    steps: { list: ExportedStep },
    history: { list: HistoryEntry },
    waits: { list: TaskWait },
    signals: { list: { fields: 'signal_id name idempotency_key by arrived_at status step used_at payload' } },
    events: { list: DomainEvent },
    audit: { list: AuditEntry },
    omitted: { list: { fields: 'part why' } },
  },
} satisfies Shape;
const TaskLogs = {
  fields: 'lines has_earlier',
  parts: { lines: { list: { fields: 'step attempt at level message fields' } } },
} satisfies Shape;
const TaskWaits = { fields: 'waits next_cursor previous_cursor', parts: { waits: { list: TaskWait } } } satisfies Shape;
const TaskGraphNode = {
  fields:
    'name template_step_name type handler run_if join when undo element_of state step_uuid attempts max_attempts started_at completed_at duration_ms next_retry_at wait elements element worker error',
  parts: { wait: StepWait, elements: ListProgress, element: StepElement, error: { fields: 'error_type message' } },
} satisfies Shape;
const TaskGraph = {
  fields: 'task_uuid namespace name version status created_at completed_at nodes edges edges_truncated',
  parts: { nodes: { list: TaskGraphNode }, edges: { list: { fields: 'from to' } } },
} satisfies Shape;
const TimelineSpan = { fields: 'kind from to until attempt worker outcome error ran_ms' } satisfies Shape;
const TaskTimeline = {
  fields: 'task_uuid status created_at starts_at completed_at now steps acts',
  parts: {
    steps: {
      list: {
        fields: 'name template_step_name step_uuid handler state spans',
        parts: { spans: { list: TimelineSpan } },
      },
    },
    acts: { list: { fields: 'at step what who why' } },
  },
} satisfies Shape;
const TaskHistogram = {
  fields: 'from to bucket_ms complete total buckets',
  parts: { buckets: { list: { fields: 'at total failed open' } } },
} satisfies Shape;
const Rerun = {
  fields: 'task_uuid from rerun dry_run status_before status steps',
  parts: { steps: { list: { fields: 'step template_step_name state attempts retryable change' } } },
} satisfies Shape;
const Undo = {
  fields: 'task_uuid dry_run status_before status steps',
  parts: { steps: { list: { fields: 'step state undone handler child_task_uuid after reason' } } },
} satisfies Shape;
const TaskCopy = {
  fields: 'task_uuid name namespace version priority total_steps created outcome rule replaced_task_uuid copy_of',
} satisfies Shape;
const PauseResult = {
  fields: 'scope target changed steps pause others',
  parts: { pause: Pause, others: { list: Pause } },
} satisfies Shape;
const TaskRuns = {
  fields: 'earlier_runs copies',
  parts: {
    earlier_runs: { list: { fields: 'step step_uuid rerun ended_by_rerun state last_attempt result completed_at' } },
  },
} satisfies Shape;
const TaskFamily = {
  fields: 'parent root_task_uuid children open_children',
  parts: {
    parent: { fields: 'task_uuid step namespace name version status created_at completed_at' },
    children: { list: { fields: 'task_uuid step namespace name version status created_at completed_at awaited key' } },
  },
} satisfies Shape;
const StepResponse = {
  fields:
    'step_uuid task_uuid name created_at updated_at completed_at results current_state dependencies_satisfied retry_eligible ready_for_execution total_parents completed_parents attempts max_attempts last_failure_at next_retry_at last_attempted_at template_step_name handler worker wait elements element rerun event_problems',
  parts: {
    results: StepResults,
    wait: StepWait,
    elements: ListProgress,
    element: StepElement,
    event_problems: { list: { fields: 'event kind message path' } },
  },
} satisfies Shape;
const StepAuditResponse = {
  fields:
    'audit_uuid workflow_step_uuid transition_uuid task_uuid recorded_at worker_uuid correlation_id success execution_time_ms result step_name from_state to_state',
} satisfies Shape;
const FoundStep = {
  fields:
    'step_uuid task_uuid name template_step_name callable namespace task_name version current_state since task_created_at attempts worker error_type error',
} satisfies Shape;
const StepList = {
  fields: 'steps total total_is_exact timed_out lag_ms next_cursor previous_cursor',
  parts: { steps: { list: FoundStep } },
} satisfies Shape;
const StepLogs = {
  fields: 'logs',
  parts: {
    logs: {
      list: { fields: 'attempt lines dropped', parts: { lines: { list: { fields: 'at level message fields' } } } },
    },
  },
} satisfies Shape;
const ActedStep = {
  fields:
    'step_uuid task_uuid name created_at updated_at completed_at results current_state dependencies_satisfied retry_eligible ready_for_execution total_parents completed_parents attempts max_attempts last_failure_at next_retry_at last_attempted_at template_step_name worker wait elements element rerun event_problems callable',
  parts: {
    results: StepResults,
    wait: StepWait,
    elements: ListProgress,
    element: StepElement,
    event_problems: { list: { fields: 'event kind message path' } },
  },
} satisfies Shape;
const StartedBulkAct = { fields: 'id action state matched done skipped_count failed_count' } satisfies Shape;
const BulkAct = {
  fields:
    'id action state filter actor reason door matched done skipped_count failed_count created_at started_at seen_at ended_at',
} satisfies Shape;
const BulkActList = {
  fields: 'bulk_acts next_cursor previous_cursor',
  parts: { bulk_acts: { list: BulkAct } },
} satisfies Shape;
const BulkReport = {
  fields:
    'id action state filter actor reason door matched done skipped_count failed_count created_at started_at seen_at ended_at paused skipped failed',
  parts: { skipped: { list: { fields: 'task_uuid step why' } }, failed: { list: { fields: 'task_uuid step why' } } },
} satisfies Shape;
const BulkActPreview = {
  fields: 'action matched skipped steps not_retryable paused dry_run sample',
  parts: {
    sample: {
      list: {
        fields: 'task_uuid template status steps',
        parts: { steps: { list: { fields: 'name state attempts retryable error_type error' } } },
      },
    },
  },
} satisfies Shape;
const SentSignal = {
  fields: 'signal_id status tasks',
  parts: { tasks: { list: { fields: 'task_uuid status step duplicate' } } },
} satisfies Shape;
const TaskSignals = {
  fields: 'signals next_cursor',
  parts: { signals: { list: { fields: 'signal_id name idempotency_key by arrived_at status step used_at payload' } } },
} satisfies Shape;
const Signal = {
  fields: 'signal_id name idempotency_key by sent_at status error payload tasks',
  parts: { error: { fields: 'code message' }, tasks: { list: { fields: 'task_uuid status step duplicate' } } },
} satisfies Shape;
const Approval = {
  fields:
    'task_uuid step step_uuid namespace name version title status assignees form quorum reject_quorum approvals rejections votes since until reminded_at escalated_at paused ended_at ended_by',
  parts: { votes: { list: { fields: 'by decision at comment form as changes' } } },
} satisfies Shape;
const TokenUse = { fields: 'task_uuid step_uuid repeated' } satisfies Shape;
const Extended = { fields: 'until' } satisfies Shape;
const ScheduleFiring = { fields: 'due_at until cause outcome task_uuid task_state reason at' } satisfies Shape;
const Schedule = {
  fields:
    'id name description template context tags priority cron every_ms timezone jitter_ms start end catch_up catch_up_window_ms overlap on_failure words state next next_firing_at queued last_due_at last source paused_at paused_by pause_reason created_at updated_at',
  parts: { last: { list: ScheduleFiring } },
} satisfies Shape;
const ChangedSchedule = {
  fields:
    'id name description template context tags priority cron every_ms timezone jitter_ms start end catch_up catch_up_window_ms overlap on_failure words state next next_firing_at queued last_due_at last source paused_at paused_by pause_reason created_at updated_at changed',
  parts: { last: { list: ScheduleFiring } },
} satisfies Shape;
const BackfilledDue = { fields: 'due_at outcome task_uuid reason' } satisfies Shape;
const TemplateListResponse = {
  fields: 'namespaces templates total_count',
  parts: {
    namespaces: { list: { fields: 'name description template_count' } },
    templates: {
      list: {
        fields: 'name namespace version description step_count active pinned digest registered_at paused',
        parts: { paused: { list: Pause } },
      },
    },
  },
} satisfies Shape;
const TemplateDetailResponse = {
  fields: 'name namespace version description configuration steps',
  parts: { steps: { list: { fields: 'name description default_retryable default_max_attempts result_schema' } } },
} satisfies Shape;
const TemplateSource = { fields: 'namespace name version digest template' } satisfies Shape;
const TemplateGraph = {
  fields: 'namespace name version nodes edges',
  parts: {
    nodes: { list: { fields: 'name type callable run_if join when undo element_of' } },
    edges: { list: { fields: 'from to' } },
  },
} satisfies Shape;
const TemplateDiff = {
  fields: 'namespace name from_version to_version changes',
  parts: { changes: { list: { fields: 'path change from to' } } },
} satisfies Shape;
const TemplateProblem = { fields: 'severity code message file line column path' } satisfies Shape;
const RegisteredTemplate = {
  fields: 'namespace name version digest previous_digest change problems',
  parts: { problems: { list: TemplateProblem } },
} satisfies Shape;
const ValidatedTemplate = {
  fields: 'valid problems template',
  parts: {
    problems: { list: TemplateProblem },
    template: { fields: 'namespace name version digest previous_digest change' },
  },
} satisfies Shape;
const Activation = { fields: 'namespace name version previous_version pinned changed' } satisfies Shape;
const NamespaceList = {
  fields: 'namespaces next_cursor previous_cursor',
  parts: { namespaces: { list: { fields: 'name templates ready_steps paused_steps pause', parts: { pause: Pause } } } },
} satisfies Shape;
const DlqEntry = {
  fields:
    'dlq_entry_uuid task_uuid original_state dlq_reason dlq_timestamp resolution_status resolution_timestamp resolution_notes resolved_by task_snapshot metadata created_at updated_at',
} satisfies Shape;
const UpdateInvestigationResponse = { fields: 'success message dlq_entry_uuid' } satisfies Shape;
const DlqStats = {
  fields:
    'dlq_reason total_entries pending manually_resolved permanent_failures cancelled oldest_entry newest_entry avg_resolution_time_minutes unassigned oldest_pending',
} satisfies Shape;
const DlqInvestigationQueueEntry = {
  fields:
    'dlq_entry_uuid task_uuid original_state dlq_reason dlq_timestamp minutes_in_dlq namespace_name task_name current_state time_in_state_minutes priority_score',
} satisfies Shape;
const StalenessMonitoring = {
  fields:
    'task_uuid namespace_name task_name current_state time_in_state_minutes task_age_minutes staleness_threshold_minutes health_status priority rule',
} satisfies Shape;
const DeadLetterRow = {
  fields:
    'dlq_entry_uuid task_uuid original_state dlq_reason dlq_timestamp resolution_status resolution_timestamp resolution_notes resolved_by cause assignee priority namespace_name task_name task_version current_state time_in_state_minutes has_moved_on minutes_in_dlq priority_score entries_of_task metadata created_at updated_at',
} satisfies Shape;
const DeadLetterPage = {
  fields: 'entries total total_is_exact next_cursor',
  parts: { entries: { list: DeadLetterRow } },
} satisfies Shape;
const DeadLetterSnapshot = {
  fields:
    'task_uuid namespace task_name task_version current_state time_in_state_minutes threshold_minutes snapshot_timestamp task_details step_count steps',
  parts: {
    task_details: { fields: 'correlation_id priority requested_at created_at', sameNames: true },
    steps: {
      list: { fields: 'name state attempts max_attempts error_type error started_at next_retry_at', sameNames: true },
    },
  },
  sameNames: true,
} satisfies Shape;
const DeadLetterDetails = {
  fields:
    'dlq_entry_uuid task_uuid original_state dlq_reason dlq_timestamp resolution_status resolution_timestamp resolution_notes resolved_by cause assignee priority namespace_name task_name task_version current_state time_in_state_minutes has_moved_on minutes_in_dlq priority_score entries_of_task metadata created_at updated_at task_snapshot notes',
  parts: { task_snapshot: DeadLetterSnapshot, notes: { list: { fields: 'at author note' } } },
} satisfies Shape;
const ChangedDeadLetters = { fields: 'changed' } satisfies Shape;
const Redrive = { fields: 'task_uuid dlq_entry_uuid how steps status_before status' } satisfies Shape;
const EventList = {
  fields: 'events next_cursor previous_cursor',
  parts: { events: { list: DomainEvent } },
} satisfies Shape;
const EventGroup = {
  fields: 'name patterns waiting seconds_behind retrying dead members members_differ created_at seen_at',
} satisfies Shape;
const EventGroupList = {
  fields: 'groups next_cursor previous_cursor',
  parts: { groups: { list: EventGroup } },
} satisfies Shape;
const DeadDelivery = { fields: 'group attempts error died_at event', parts: { event: DomainEvent } } satisfies Shape;
const DeadDeliveryList = {
  fields: 'dead next_cursor previous_cursor',
  parts: { dead: { list: DeadDelivery } },
} satisfies Shape;
const DomainEventWithEnvelope = {
  fields:
    'id event_id name version task_uuid step_uuid step_name namespace correlation_id attempt publisher fired_at payload metadata execution_result envelope',
} satisfies Shape;
const Replay = { fields: 'group replayed would_replay' } satisfies Shape;
const Worker = {
  fields:
    'id name host pid version state drain namespaces handlers resolvers missing_handlers concurrency running hung oldest_step_at oldest_step_ms started_at seen_at silent_ms ended_at completed failed completed_per_second failed_per_second loop_lag_ms',
  parts: {
    drain: { fields: 'requested_at by reason' },
    missing_handlers: { list: { fields: 'namespace template version step handler' } },
  },
} satisfies Shape;
const WorkerList = {
  fields: 'workers next_cursor previous_cursor',
  parts: { workers: { list: Worker } },
} satisfies Shape;
const WorkerDetails = {
  fields:
    'id name host pid version state drain namespaces handlers resolvers missing_handlers concurrency running hung oldest_step_at oldest_step_ms started_at seen_at silent_ms ended_at completed failed completed_per_second failed_per_second loop_lag_ms steps',
  parts: {
    drain: { fields: 'requested_at by reason' },
    missing_handlers: { list: { fields: 'namespace template version step handler' } },
    steps: { list: { fields: 'task_uuid step namespace template version handler attempt started_at age_ms' } },
  },
} satisfies Shape;
const UnservedSteps = { fields: 'handler reason steps templates since' } satisfies Shape;
const Queue = {
  fields:
    'namespace ready ready_is_exact paused highest_priority oldest_ready_at oldest_ready_ms running in_per_minute out_per_minute is_growing flow_since ready_by_minute retries next_retry_at next_retry_ms workers draining slots slots_taken hung_slots lost approvals failing_schedules stale dead_deliveries late_timers late_schedules unserved unserved_steps at_least',
  parts: { unserved: { list: UnservedSteps }, at_least: 'names' },
} satisfies Shape;
const QueueList = { fields: 'queues next_cursor previous_cursor', parts: { queues: { list: Queue } } } satisfies Shape;
const HandlerList = {
  fields: 'handlers next_cursor previous_cursor',
  parts: {
    handlers: {
      list: {
        fields: 'namespace handler resolver steps workers',
        parts: { steps: { list: { fields: 'template version step' } } },
      },
    },
  },
} satisfies Shape;
const DrainedWorker = {
  fields:
    'id name host pid version state drain namespaces handlers resolvers missing_handlers concurrency running hung oldest_step_at oldest_step_ms started_at seen_at silent_ms ended_at completed failed completed_per_second failed_per_second loop_lag_ms steps changed left_namespaces',
  parts: {
    drain: { fields: 'requested_at by reason' },
    missing_handlers: { list: { fields: 'namespace template version step handler' } },
    steps: { list: { fields: 'task_uuid step namespace template version handler attempt started_at age_ms' } },
  },
} satisfies Shape;
const ChangedWorker = {
  fields:
    'id name host pid version state drain namespaces handlers resolvers missing_handlers concurrency running hung oldest_step_at oldest_step_ms started_at seen_at silent_ms ended_at completed failed completed_per_second failed_per_second loop_lag_ms steps changed',
  parts: {
    drain: { fields: 'requested_at by reason' },
    missing_handlers: { list: { fields: 'namespace template version step handler' } },
    steps: { list: { fields: 'task_uuid step namespace template version handler attempt started_at age_ms' } },
  },
} satisfies Shape;
const PauseList = { fields: 'pauses next_cursor previous_cursor', parts: { pauses: { list: Pause } } } satisfies Shape;
const Prune = { fields: 'id by_policy deleted started_at ended_at is_running' } satisfies Shape;
const Status = {
  fields:
    'at workers queues open open_at_least waits attention pauses unserved unserved_handlers per_minute prune lag_ms',
  parts: {
    workers: { fields: 'alive lost slots slots_used hung_slots at_least', parts: { at_least: 'names' } },
    queues: {
      list: { fields: 'namespace ready oldest_at running workers unserved at_least', parts: { at_least: 'names' } },
    },
    waits: { list: { fields: 'kind count count_is_exact oldest_since' } },
    attention: {
      fields:
        'blocked stale unserved dead_letters dead_deliveries late_timers late_schedules approvals failing_schedules no_worker at_least',
      parts: { at_least: 'names' },
    },
    pauses: { list: Pause },
    unserved: { list: { fields: 'handler reason steps templates since namespace' } },
    unserved_handlers: { list: { fields: 'namespace handler since steps' } },
    per_minute: { fields: 'created ended attempts failures estimated' },
    prune: Prune,
  },
} satisfies Shape;
const FailureGroup = {
  fields: 'namespace name version step handler count filter error_type pattern error task_uuid first_at last_at',
  parts: { filter: 'conditions' },
} satisfies Shape;
const UnservedGroup = {
  fields: 'namespace reason handlers templates count first_at filter',
  parts: { filter: 'conditions' },
} satisfies Shape;
const Summary = {
  fields: 'filter templates states open_since ended_since failed waiting_for_retry unserved lag_ms',
  parts: {
    filter: 'conditions',
    templates: { list: { fields: 'namespace name version counts' } },
    failed: { fields: 'steps groups more_groups timed_out', parts: { groups: { list: FailureGroup } } },
    waiting_for_retry: { fields: 'steps groups more_groups timed_out', parts: { groups: { list: FailureGroup } } },
    unserved: { fields: 'steps groups more_groups timed_out', parts: { groups: { list: UnservedGroup } } },
  },
} satisfies Shape;
const Durations = { fields: 'count total_ms average_ms min_ms max_ms p50_ms p95_ms p99_ms' } satisfies Shape;
const TaskNumbers = {
  fields:
    'ended completed failed cancelled resolved_manually completion_rate error_rate ended_per_hour duration slowest_task_uuid last_ended_at',
  parts: { duration: Durations },
} satisfies Shape;
const StepNumbers = {
  fields:
    'attempts completed failed lost cancelled released retried gave_up success_rate error_rate attempts_per_hour still_running duration queueing slowest_task_uuid last_ended_at',
  parts: { duration: Durations, queueing: Durations },
} satisfies Shape;
const OpenTasks = { fields: 'total total_is_exact blocked waiting_for_retry waiting' } satisfies Shape;
const Statistics = {
  fields:
    'from to counted_since counted_until percentile_error tasks steps open templates more_templates slow_steps more_steps timeline timeline_minutes recommendations',
  parts: {
    tasks: TaskNumbers,
    steps: StepNumbers,
    open: OpenTasks,
    templates: {
      list: {
        fields: 'namespace name version tasks steps average_step_count open',
        parts: { tasks: TaskNumbers, steps: StepNumbers, open: OpenTasks },
      },
    },
    slow_steps: {
      list: {
        fields:
          'namespace name version step handler share_of_time attempts completed failed lost cancelled released retried gave_up success_rate error_rate attempts_per_hour still_running duration queueing slowest_task_uuid last_ended_at',
        parts: { duration: Durations, queueing: Durations },
      },
    },
    timeline: { list: { fields: 'at tasks_completed tasks_not_completed attempts_completed attempts_failed' } },
  },
} satisfies Shape;
const RetentionRule = { fields: 'status namespace name template_version keep_ms' } satisfies Shape;
const Retention = {
  fields: 'policy events_retention_ms audit_retention_ms last_prune',
  parts: {
    policy: { fields: 'rules archive release_keys share', parts: { rules: { list: RetentionRule } } },
    last_prune: Prune,
  },
} satisfies Shape;
const AuditList = {
  fields: 'entries next_cursor previous_cursor',
  parts: { entries: { list: AuditEntry } },
} satisfies Shape;
const PerformanceMetrics = {
  fields:
    'total_tasks active_tasks completed_tasks failed_tasks completion_rate error_rate average_task_duration_seconds average_step_duration_seconds tasks_per_hour steps_per_hour system_health_score analysis_period_start calculated_at',
} satisfies Shape;
const BottleneckAnalysis = {
  fields: 'slow_steps slow_tasks resource_utilization recommendations',
  parts: {
    slow_steps: {
      list: {
        fields:
          'namespace_name task_name version average_duration_seconds max_duration_seconds execution_count error_count error_rate last_executed_at step_name',
      },
    },
    slow_tasks: {
      list: {
        fields:
          'namespace_name task_name version average_duration_seconds max_duration_seconds execution_count error_count error_rate last_executed_at average_step_count',
      },
    },
    resource_utilization: { fields: 'database_pool_utilization system_health' },
  },
} satisfies Shape;
const ApiKey = {
  fields:
    'id name prefix state roles permissions namespaces created_at created_by expires_at last_used_at revoked_at revoked_by',
} satisfies Shape;
const ApiKeyList = { fields: 'keys', parts: { keys: { list: ApiKey } } } satisfies Shape;
const CreatedApiKey = {
  fields:
    'id name prefix state roles permissions namespaces created_at created_by expires_at last_used_at revoked_at revoked_by key',
} satisfies Shape;
const BrowserSessionInfo = {
  fields: 'id subject roles permissions namespaces key_prefix created_at expires_at',
} satisfies Shape;
const BrowserSessionList = { fields: 'sessions', parts: { sessions: { list: BrowserSessionInfo } } } satisfies Shape;
const Me = { fields: 'authenticated subject credential roles permissions namespaces' } satisfies Shape;

/** The shapes of the responses, by noun and verb. Other responses are the same in both forms. */
export const SHAPES: Readonly<Record<string, Readonly<Record<string, Shape>>>> = {
  tasks: {
    create: CreatedTask,
    list: TaskListResponse,
    get: TaskResponse,
    cancel: TaskResponse,
    summary: TaskSummaryResponse,
    context: TaskContext,
    why: TaskExplanation,
    history: TaskHistory,
    events: TaskEvents,
    export: TaskExport,
    logs: TaskLogs,
    waits: TaskWaits,
    graph: TaskGraph,
    timeline: TaskTimeline,
    histogram: TaskHistogram,
    retry: { fields: 'task_uuid steps status' },
    resolve: { fields: 'task_uuid resolved status' },
    rerun: Rerun,
    undo: Undo,
    copy: TaskCopy,
    pause: PauseResult,
    resume: PauseResult,
    startNow: { fields: 'task_uuid started' },
    reschedule: { fields: 'task_uuid start_at' },
    delete: { fields: 'task_uuid deleted' },
    runs: TaskRuns,
    children: TaskFamily,
  },
  steps: {
    list: { list: StepResponse },
    get: StepResponse,
    update: StepResponse,
    audit: { list: StepAuditResponse },
    search: StepList,
    logs: StepLogs,
    retry: ActedStep,
    fire: ActedStep,
    move: { fields: 'task_uuid step until' },
  },
  bulkActs: {
    start: StartedBulkAct,
    stop: { fields: 'id stopped' },
    resume: StartedBulkAct,
    list: BulkActList,
    get: BulkReport,
    preview: BulkActPreview,
  },
  signals: {
    send: SentSignal,
    sendTo: SentSignal,
    list: TaskSignals,
    get: Signal,
  },
  approvals: {
    list: { fields: 'approvals next_cursor total total_is_exact', parts: { approvals: { list: Approval } } },
    get: Approval,
    vote: Approval,
    reassign: Approval,
  },
  completions: {
    complete: TokenUse,
    fail: TokenUse,
    extend: Extended,
  },
  schedules: {
    list: { fields: 'schedules next_cursor', parts: { schedules: { list: Schedule } } },
    create: Schedule,
    get: Schedule,
    update: Schedule,
    delete: { fields: 'deleted' },
    pause: ChangedSchedule,
    resume: ChangedSchedule,
    trigger: { fields: 'task_uuid' },
    backfill: { list: BackfilledDue },
  },
  templates: {
    list: TemplateListResponse,
    get: TemplateDetailResponse,
    source: TemplateSource,
    graph: TemplateGraph,
    diff: TemplateDiff,
    register: RegisteredTemplate,
    validate: ValidatedTemplate,
    activate: Activation,
    pause: PauseResult,
    resume: PauseResult,
    pauseVersion: PauseResult,
    resumeVersion: PauseResult,
  },
  namespaces: {
    pause: PauseResult,
    resume: PauseResult,
    list: NamespaceList,
  },
  deadLetters: {
    list: { list: DlqEntry },
    ofTask: DlqEntry,
    update: UpdateInvestigationResponse,
    stats: { list: DlqStats },
    queue: { list: DlqInvestigationQueueEntry },
    staleness: { list: StalenessMonitoring },
    search: DeadLetterPage,
    get: DeadLetterDetails,
    add: DeadLetterDetails,
    assign: ChangedDeadLetters,
    note: ChangedDeadLetters,
    resolve: ChangedDeadLetters,
    redrive: Redrive,
  },
  events: {
    list: EventList,
    groups: EventGroupList,
    dead: DeadDeliveryList,
    get: DomainEventWithEnvelope,
    replay: Replay,
    redeliver: { fields: 'group redelivered' },
    discard: { fields: 'group discarded' },
    removeGroup: { fields: 'group removed' },
  },
  workers: {
    list: WorkerList,
    get: WorkerDetails,
    queues: QueueList,
    handlers: HandlerList,
    drain: DrainedWorker,
    resume: ChangedWorker,
  },
  installation: {
    pauses: PauseList,
    status: Status,
    summary: Summary,
    stats: Statistics,
    retention: Retention,
  },
  audit: {
    list: AuditList,
  },
  analytics: {
    performance: PerformanceMetrics,
    bottlenecks: BottleneckAnalysis,
  },
  credentials: {
    keys: ApiKeyList,
    createKey: CreatedApiKey,
    rotateKey: CreatedApiKey,
    revokeKey: ApiKeyList,
    sessions: BrowserSessionList,
    endSessions: BrowserSessionList,
    me: Me,
  },
};
