/** The schemas of events that leave the process (webhooks, RabbitMQ, `envelope()`), for references. */

const text = { type: 'string' } as const;
const uuid = { type: 'string', format: 'uuid' } as const;
const time = { type: 'string', format: 'date-time' } as const;
const object = { type: 'object' } as const;

/** The schemas (draft-07) that messages share. Their names start with a capital letter, unlike the names of events. */
export const ENVELOPE_SCHEMAS: Readonly<Record<string, unknown>> = {
  DomainEvent: {
    type: 'object',
    description: 'An event as it leaves the process.',
    required: ['event_id', 'event_name', 'event_version', 'payload', 'metadata'],
    properties: {
      event_id: { ...uuid, description: 'The same in every copy and every delivery, to detect duplicates.' },
      event_name: text,
      event_version: text,
      payload: {
        type: 'object',
        required: ['task_sequence_step', 'execution_result', 'payload'],
        properties: {
          task_sequence_step: { $ref: '#/components/schemas/TaskSequenceStep' },
          execution_result: { $ref: '#/components/schemas/ExecutionResult' },
          payload: { description: 'The business payload, which the publisher creates from the result.' },
        },
      },
      metadata: { $ref: '#/components/schemas/EventMetadata' },
    },
  },
  EventMetadata: {
    type: 'object',
    description: 'The origin of an event. Publishers can add other properties.',
    required: ['task_uuid', 'step_uuid', 'step_name', 'namespace', 'correlation_id', 'fired_at', 'fired_by'],
    properties: {
      task_uuid: uuid,
      step_uuid: uuid,
      step_name: text,
      namespace: text,
      correlation_id: uuid,
      fired_at: time,
      fired_by: { ...text, description: 'The name of the publisher.' },
    },
    additionalProperties: true,
  },
  ExecutionResult: {
    type: 'object',
    description: 'The outcome of the attempt.',
    required: ['step_uuid', 'success', 'result', 'metadata', 'status'],
    properties: {
      step_uuid: uuid,
      success: { type: 'boolean' },
      result: { description: "The handler's result." },
      status: { enum: ['completed', 'failed', 'error'] },
      metadata: object,
      error: { type: ['object', 'null'] },
      orchestration_metadata: { type: ['object', 'null'] },
    },
  },
  TaskSequenceStep: {
    type: 'object',
    description: 'The task, the step, its definition, and the results of the steps that it depends on.',
    required: ['task', 'workflow_step', 'dependency_results', 'step_definition'],
    properties: { task: object, workflow_step: object, dependency_results: object, step_definition: object },
  },
};

/** Returns the schema of an event's message: the envelope with the event's name and the schema of its payload. */
export function envelopeOf(name: string, payloadReference: string): unknown {
  return {
    allOf: [
      { $ref: '#/components/schemas/DomainEvent' },
      {
        type: 'object',
        properties: {
          event_name: { const: name },
          payload: { type: 'object', properties: { payload: { $ref: payloadReference } } },
        },
      },
    ],
  };
}
