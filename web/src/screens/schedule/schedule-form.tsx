import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { api, pathOf } from '../../api/client.ts';
import { useLacking } from '../../api/me.tsx';
import { newestFirst, useTemplates } from '../../api/templates.ts';
import type { Schedule, ScheduleChange, ScheduleRequest, TemplateRow } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { Button, Heading, Panel, Problem } from '../../parts/controls.tsx';
import { useDraft } from '../../parts/draft.ts';
import { ChoiceField, TextField } from '../../parts/form/field.tsx';
import { SchemaForm } from '../../parts/form/schema-form.tsx';
import { useOperator } from '../../parts/operator.tsx';
import { durationText } from '../../parts/words.ts';
import { useSource } from '../template/use-template.ts';
import { ScheduleCrumbs, useSchedule } from './schedule.tsx';
import { type Draft, type DraftErrors, errorsOf, serverErrorsOf } from './schedule-draft.ts';
import { SchedulePreview } from './schedule-preview.tsx';

const NEW: Draft = {
  name: '',
  template: '',
  timing: 'cron',
  cron: '0 2 * * *',
  every: '',
  timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  overlap: 'allow',
  catch_up: 'last',
  on_failure: 'continue',
  jitter: '',
  start: '',
  end: '',
  description: '',
  tags: '',
  priority: '',
  context: {},
};

const OVERLAPS: Readonly<Record<Schedule['overlap'], string>> = {
  allow: 'Start the next task as well',
  skip: 'Skip the due time',
  queue_one: 'Start one when it has ended',
  cancel_running: 'Cancel the open task',
};
const CATCH_UPS: Readonly<Record<Schedule['catch_up'], string>> = {
  none: 'Nothing',
  last: 'A task for the last one',
  all: 'A task for each',
};
const ON_FAILURE: Readonly<Record<Schedule['on_failure'], string>> = {
  continue: 'Continue',
  pause: 'Pause the schedule',
};
const SECOND = 1000;

function NewSchedule() {
  return <ScheduleForm beginning={NEW} />;
}

function EditSchedule() {
  const { name = '' } = useParams();
  const { data, error } = useSchedule(name);
  if (error && !data) return <Problem error={error} />;
  return data ? (
    <ScheduleForm key={data.id} beginning={draftOf(data)} existing={name} created={data.created_at} />
  ) : null;
}

export default function ScheduleFormScreen() {
  return useParams().name === undefined ? <NewSchedule /> : <EditSchedule />;
}

function draftOf(schedule: Schedule): Draft {
  const span = (ms: number | null) => (ms ? `${ms / SECOND}s` : '');
  return {
    name: schedule.name,
    template: schedule.template,
    timing: schedule.cron === null ? 'every' : 'cron',
    cron: schedule.cron ?? '',
    every: span(schedule.every_ms),
    timezone: schedule.timezone,
    overlap: schedule.overlap,
    catch_up: schedule.catch_up,
    on_failure: schedule.on_failure,
    jitter: span(schedule.jitter_ms),
    start: schedule.start ?? '',
    end: schedule.end ?? '',
    description: schedule.description ?? '',
    tags: schedule.tags.join(', '),
    priority: schedule.priority === null ? '' : String(schedule.priority),
    context: schedule.context ?? {},
  };
}

const listOf = (text: string) =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);

const textOf = (text: string) => text.trim() || null;

/** Returns the settings as the API takes them. Null means no value. */
function settingsOf(draft: Draft): ScheduleChange {
  return {
    template: draft.template,
    description: textOf(draft.description),
    timezone: textOf(draft.timezone),
    cron: draft.timing === 'cron' ? textOf(draft.cron) : null,
    every: draft.timing === 'every' ? textOf(draft.every) : null,
    overlap: draft.overlap,
    catch_up: draft.catch_up,
    on_failure: draft.on_failure,
    jitter: textOf(draft.jitter),
    start: textOf(draft.start),
    end: textOf(draft.end),
    tags: draft.tags.trim() === '' ? null : listOf(draft.tags),
    priority: draft.priority.trim() === '' ? null : Number(draft.priority.trim().replace('−', '-')),
    context: (draft.context ?? {}) as Record<string, unknown>,
  };
}

/** Returns the changed settings, so that settings that the user did not touch are not changed. */
function changesOf(before: Draft, after: Draft): ScheduleChange {
  const old = new Map(Object.entries(settingsOf(before)));
  const changes = Object.entries(settingsOf(after)).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(old.get(key)),
  );
  return Object.fromEntries(changes);
}

/** Returns the settings that have a value. */
function givenOf(draft: Draft): Partial<ScheduleRequest> {
  return Object.fromEntries(Object.entries(settingsOf(draft)).filter(([, value]) => value !== null));
}

function useVersionsOfAll(): TemplateRow[] {
  return useTemplates(5_000).data?.templates ?? [];
}

function ScheduleForm({ beginning, existing, created }: { beginning: Draft; existing?: string; created?: string }) {
  const [draft, setDraft, forget] = useDraft(`schedule ${existing ?? ''}`, beginning);
  const [valid, setValid] = useState(true);
  const operator = useOperator();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const link = useLinks();
  const changes = changesOf(beginning, draft);
  const { mutate, isPending, error } = useMutation({
    mutationFn: () => {
      const { reason: _, ...by } = operator.said();
      if (existing !== undefined) {
        return api.schedules.update(existing, { ...changes, ...by });
      }
      return api.schedules.create({ ...givenOf(draft), name: draft.name.trim(), template: draft.template, ...by });
    },
    onSuccess: async ({ name }) => {
      forget();
      await queries.invalidateQueries({ queryKey: ['schedule'] });
      void navigate(link(pathOf`schedules/${name}`));
    },
  });
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const title = existing === undefined ? 'Create a schedule' : `Edit ${existing}`;
  const incomplete = draft.name.trim() === '' || draft.template === '';
  const nothing = existing !== undefined && Object.keys(changes).length === 0;
  const mistakes = errorsOf(draft);
  const sent = useRef<Draft>(undefined);
  // The answer of the server is about the values that were sent.
  const refused = sent.current === draft ? serverErrorsOf(error, draft) : undefined;
  const errors = { ...refused, ...mistakes };
  const ready = valid && !incomplete && !nothing && !isPending && Object.keys(mistakes).length === 0;
  return (
    <div className="max-w-[680px]">
      <ScheduleCrumbs />
      <Heading title={title} answer="A schedule creates a task of a template at each of its due times." />
      <form
        noValidate
        aria-label={title}
        onSubmit={(event) => {
          event.preventDefault();
          if (!ready) return;
          sent.current = draft;
          mutate();
        }}
      >
        <What draft={draft} change={change} errors={errors} isNew={existing === undefined} />
        <When draft={draft} change={change} errors={errors} created={created} />
        <Context draft={draft} change={change} isNew={existing === undefined} onValid={setValid} />
        <More draft={draft} change={change} errors={errors} />
        {error && sent.current === draft && !refused && <Problem error={error} />}
        <div className="flex justify-end gap-2">
          <Button
            onClick={() => {
              forget();
              void navigate(link(existing === undefined ? 'schedules' : pathOf`schedules/${existing}`));
            }}
          >
            Leave without saving
          </Button>
          <ActButton
            method={existing === undefined ? api.schedules.create : api.schedules.update}
            type="submit"
            look="primary"
            disabled={!ready}
          >
            {existing === undefined ? 'Create the schedule' : 'Save the changes'}
          </ActButton>
        </div>
      </form>
    </div>
  );
}

interface PartProps {
  draft: Draft;
  change(part: Partial<Draft>): void;
  errors?: DraftErrors;
  isNew?: boolean;
}

/** Returns a function that ties a field to a string of the draft. */
function fieldsOf({ draft, change, errors }: PartProps) {
  return (name: Exclude<keyof Draft, 'context' | 'timing'>) => ({
    value: draft[name],
    error: errors?.[name],
    onChange: (text: string) => change({ [name]: text }),
  });
}

function What({ draft, change, errors, isNew }: PartProps) {
  const field = fieldsOf({ draft, change, errors });
  const names = new Map<string, string[]>();
  for (const { namespace, name, version } of useVersionsOfAll()) {
    names.set(`${namespace}/${name}`, [...(names.get(`${namespace}/${name}`) ?? []), version]);
  }
  const templates = [...names].flatMap(([name, versions]) => [
    `${name}@latest`,
    ...versions
      .map((version) => ({ version }))
      .sort(newestFirst)
      .map(({ version }) => `${name}@${version}`),
  ]);
  if (draft.template !== '' && !templates.includes(draft.template)) templates.push(draft.template);
  return (
    <Panel title="What">
      <div className="grid gap-3 p-4 sm:grid-cols-2">
        {isNew && <TextField label="Name" required autoComplete="off" {...field('name')} />}
        <ChoiceField
          label="Template"
          required
          hint="@latest is the highest version at each due time."
          value={draft.template}
          options={[['', 'Choose…'], ...templates.map((name) => [name, name] as const)]}
          onChange={(template) => change({ template })}
        />
        <TextField label="Description" {...field('description')} />
      </div>
    </Panel>
  );
}

/** Frequent cron expressions. */
const PRESETS = {
  'Every hour': '0 * * * *',
  'Every day': '0 2 * * *',
  'On weekdays': '0 9 * * 1-5',
  'Every Monday': '0 9 * * 1',
  'First of the month': '0 2 1 * *',
} as const;

function When({ draft, change, errors, created }: PartProps & { created: string | undefined }) {
  const field = fieldsOf({ draft, change, errors });
  const every = /^\d+$/.test(draft.every.trim()) ? durationText(Number(draft.every) * SECOND) : undefined;
  return (
    <Panel title="When">
      <div className="grid gap-3 p-4 sm:grid-cols-2">
        <ChoiceField
          label="Repeats"
          value={draft.timing}
          options={[
            ['cron', 'At times of a cron expression'],
            ['every', 'At a fixed interval'],
          ]}
          onChange={(timing) => change({ timing: timing as Draft['timing'] })}
        />
        {draft.timing === 'cron' ? (
          <TextField
            label="Cron expression"
            required
            className="font-mono"
            hint="Minute, hour, day, month, weekday. L is the last day of a month."
            {...field('cron')}
          />
        ) : (
          <TextField
            label="Every"
            required
            placeholder="15m"
            hint={every ?? 'Such as 30s, 15m or 2h.'}
            {...field('every')}
          />
        )}
        {draft.timing === 'cron' && (
          <fieldset className="flex flex-wrap gap-1.5 sm:col-span-2">
            <legend className="sr-only">Frequent times</legend>
            {Object.entries(PRESETS).map(([name, cron]) => (
              <Button
                key={cron}
                className="h-7 px-2 text-xs"
                aria-pressed={draft.cron === cron}
                onClick={() => change({ cron })}
              >
                {name}
              </Button>
            ))}
          </fieldset>
        )}
        <TextField label="Time zone" list="time-zones" autoComplete="off" {...field('timezone')} />
        <datalist id="time-zones">
          {Intl.supportedValuesOf('timeZone').map((zone) => (
            <option key={zone} value={zone} />
          ))}
        </datalist>
        <TextField
          label="Jitter"
          placeholder="none"
          hint="Each task starts up to this much later."
          {...field('jitter')}
        />
      </div>
      <SchedulePreview draft={draft} created={created} />
    </Panel>
  );
}

function Context({ draft, change, isNew, onValid }: PartProps & { onValid(valid: boolean): void }) {
  const hidden = useLacking()(api.tasks.context);
  const newest = useVersionsOfAll()
    .filter(({ namespace, name }) => draft.template === `${namespace}/${name}@latest`)
    .sort(newestFirst)[0];
  const [namespace = '', rest = ''] = draft.template.split('/');
  const [name = '', version = ''] = rest.split('@');
  const template = newest ?? { namespace, name, version };
  const { data, isPending } = useSource(
    template,
    draft.template !== '' && (version !== 'latest' || newest !== undefined),
  );
  return (
    <Panel title="Context of its tasks">
      <div className="p-4">
        {hidden !== undefined && !isNew ? (
          <p className="text-sm text-soft">
            To see and change the context, you need the permission {hidden}. Saving does not change it.
          </p>
        ) : draft.template === '' ? (
          <p className="text-sm text-soft">Choose a template first.</p>
        ) : (
          !isPending && (
            <SchemaForm
              key={draft.template}
              schema={data?.template.input_schema ?? undefined}
              label="Context"
              value={draft.context}
              violations={[]}
              onChange={(context) => change({ context })}
              onValid={onValid}
            />
          )
        )}
      </div>
    </Panel>
  );
}

interface MomentFieldProps {
  label: string;
  /** ISO 8601, or empty. */
  value: string;
  error: string | undefined;
  onChange(value: string): void;
}

/** A time, which is picked in the time zone of the browser. */
function MomentField({ label, value, error, onChange }: MomentFieldProps) {
  return (
    <TextField
      label={label}
      type="datetime-local"
      hint={`In ${Intl.DateTimeFormat().resolvedOptions().timeZone}, the time zone of your browser.`}
      error={error}
      value={localOf(value)}
      onChange={(local) => onChange(local === '' ? '' : new Date(local).toISOString())}
    />
  );
}

/** Returns a time as such a field takes it. */
function localOf(iso: string): string {
  const time = new Date(iso);
  if (iso === '' || Number.isNaN(time.getTime())) return '';
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function More({ draft, change, errors }: PartProps) {
  const field = fieldsOf({ draft, change, errors });
  return (
    <Panel title="More">
      <div className="grid gap-3 p-4 sm:grid-cols-2">
        <ChoiceField
          label="While a task is still open"
          value={draft.overlap}
          options={Object.entries(OVERLAPS)}
          onChange={(overlap) => change({ overlap: overlap as Draft['overlap'] })}
        />
        <ChoiceField
          label="After missed due times"
          value={draft.catch_up}
          options={Object.entries(CATCH_UPS)}
          onChange={(text) => change({ catch_up: text as Draft['catch_up'] })}
        />
        <ChoiceField
          label="After a failed task"
          value={draft.on_failure}
          options={Object.entries(ON_FAILURE)}
          onChange={(text) => change({ on_failure: text as Draft['on_failure'] })}
        />
        <TextField
          label="Priority"
          inputMode="numeric"
          hint="From −100 to 100. Higher starts earlier."
          {...field('priority')}
        />
        <MomentField label="Start" {...field('start')} />
        <MomentField label="End" {...field('end')} />
        <TextField label="Tags" hint="Separated by commas." {...field('tags')} />
      </div>
    </Panel>
  );
}
