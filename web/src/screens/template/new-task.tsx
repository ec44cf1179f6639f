import { useMutation } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { ApiError, api } from '../../api/client.ts';
import { useLacking, useMe } from '../../api/me.tsx';
import type { TaskRequest, TemplateContent, TemplateName } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { Button, Heading, Problem } from '../../parts/controls.tsx';
import { useDraft } from '../../parts/draft.ts';
import { TextField } from '../../parts/form/field.tsx';
import { initialOf, shapeOf, violationsOf } from '../../parts/form/json-schema.ts';
import { SchemaForm } from '../../parts/form/schema-form.tsx';
import { Breadcrumbs } from './template.tsx';
import { useSource } from './use-template.ts';

/** A form that creates a task of a template. */
export default function NewTask() {
  const { namespace = '', name = '', version = '' } = useParams();
  const template = { namespace, name, version };
  const { data, error } = useSource(template);
  return (
    <div className="max-w-[680px]">
      <Breadcrumbs namespace={namespace}>
        {' '}
        / {name} {version}
      </Breadcrumbs>
      <Heading title="Create a task" answer={`of ${namespace}/${name} ${version}`} />
      {error && <Problem error={error} />}
      {data && <TaskForm key={data.digest} template={template} source={data.template} />}
    </div>
  );
}

interface Draft {
  context: unknown;
  key: string;
  tags: string;
  priority: string;
  reason: string;
}

function beginningOf({ input_schema: schema, default_context: defaults }: TemplateContent): Draft {
  const initial = (schema && initialOf(shapeOf(schema), true)) ?? {};
  return { context: { ...(initial as object), ...defaults }, key: '', tags: '', priority: '', reason: '' };
}

function TaskForm({ template, source }: { template: TemplateName; source: TemplateContent }) {
  const { namespace, name, version } = template;
  const [draft, setDraft, forget] = useDraft(`task ${namespace}/${name}@${version}`, beginningOf(source));
  const [valid, setValid] = useState(true);
  const [begun, setBegun] = useState(0);
  const lacking = useLacking()(api.tasks.create);
  const { subject } = useMe();
  const navigate = useNavigate();
  const link = useLinks();
  const { mutate, isPending, error } = useMutation({
    mutationFn: () =>
      api.tasks.create(bodyOf(template, draft, subject ?? (localStorage.getItem('tasker.name') || 'web'))),
    onSuccess: ({ task_uuid: uuid }) => {
      forget();
      void navigate(link(`tasks/${uuid}`));
    },
  });
  const violations = error instanceof ApiError ? violationsOf(error.details) : [];
  return (
    <form
      noValidate
      aria-label="Create a task"
      onSubmit={(event) => {
        event.preventDefault();
        if (valid && lacking === undefined && !isPending) mutate();
      }}
    >
      <Section title="Context">
        <SchemaForm
          key={begun}
          schema={source.input_schema ?? undefined}
          label="Context"
          value={draft.context}
          violations={violations}
          onChange={(context) => setDraft({ ...draft, context })}
          onValid={setValid}
        />
      </Section>
      <Section title="Options">
        <div className="grid gap-3 sm:grid-cols-2">
          <TextField
            label="Idempotency key"
            hint="A second request with the same key gets the same task."
            value={draft.key}
            onChange={(key) => setDraft({ ...draft, key })}
          />
          <TextField
            label="Priority"
            hint="From −100 to 100. Higher starts earlier."
            inputMode="numeric"
            value={draft.priority}
            onChange={(priority) => setDraft({ ...draft, priority })}
          />
          <TextField
            label="Tags"
            hint="Separated by commas."
            value={draft.tags}
            onChange={(tags) => setDraft({ ...draft, tags })}
          />
          <TextField label="Reason" value={draft.reason} onChange={(reason) => setDraft({ ...draft, reason })} />
        </div>
      </Section>
      {error && violations.length === 0 && <Problem error={error} />}
      {violations.length > 0 && (
        <p role="status" className="mb-4 text-sm text-s-red">
          The task was not created: the context does not fit the schema.
        </p>
      )}
      <div className="flex flex-wrap justify-end gap-2">
        <Button
          look="quiet"
          onClick={() => {
            setDraft(beginningOf(source));
            setBegun(begun + 1);
            forget();
          }}
        >
          Start over
        </Button>
        <ActButton method={api.tasks.create} type="submit" look="primary" disabled={isPending || !valid}>
          Create the task
        </ActButton>
      </div>
    </form>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="mb-6">
      <h2 className="mb-2 text-sm font-semibold">{title}</h2>
      <div className="rounded-lg border border-line bg-surface p-4">{children}</div>
    </section>
  );
}

function bodyOf({ namespace, name, version }: TemplateName, draft: Draft, initiator: string): TaskRequest {
  const tags = draft.tags
    .split(',')
    .map((tag) => tag.trim())
    .filter(Boolean);
  return {
    namespace,
    name,
    version,
    context: (draft.context ?? {}) as Record<string, unknown>,
    initiator,
    source_system: 'web',
    reason: draft.reason.trim() || 'from the web page',
    ...(tags.length > 0 && { tags }),
    // Text that is not a number is sent unchanged, so that the server reports it.
    ...(draft.priority.trim() !== '' && { priority: numberOr(draft.priority.trim()) as number }),
    ...(draft.key.trim() !== '' && { idempotency_key: draft.key.trim() }),
  };
}

const numberOr = (text: string) => (Number.isNaN(Number(text)) ? text : Number(text));
