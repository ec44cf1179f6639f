import type { ReactNode } from 'react';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router';
import { api } from '../../api/client.ts';
import type { Statistics, TemplateName, TemplateRow } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { Empty, Heading, Panel, Problem } from '../../parts/controls.tsx';
import { JsonTree } from '../../parts/json-tree.tsx';
import { HUES, StateShape } from '../../parts/state.tsx';
import { TabPanel, Tabs, useTab } from '../../parts/tabs.tsx';
import { areBlocked, counted, durationText, percentText } from '../../parts/words.ts';
import { YamlText } from '../../parts/yaml-text.tsx';
import { CompareView } from './compare-view.tsx';
import { GraphView, PERIODS } from './graph-view.tsx';
import { StepsView } from './steps-view.tsx';
import { addressOfTemplate, blockedOf, useSource, useStats, useVersions, useYaml } from './use-template.ts';

const VIEWS = [
  { key: 'graph', name: 'Graph' },
  { key: 'steps', name: 'Steps' },
  { key: 'input', name: 'Input' },
  { key: 'yaml', name: 'YAML' },
  { key: 'compare', name: 'Compare' },
] as const;

export default function Template() {
  const { namespace = '', name = '', version = '' } = useParams();
  const template = { namespace, name, version };
  const { data, error } = useSource(template);
  const versions = useVersions(template);
  const [view, choose] = useTab(VIEWS);
  const [search, setSearch] = useSearchParams();
  const hours = PERIODS.find(([period]) => String(period) === search.get('hours'))?.[0] ?? 24;
  const row = versions.find((one) => one.version === version);
  return (
    <>
      <Breadcrumbs namespace={namespace} />
      <Heading title={`${name} ${version}`} answer={data ? (data.template.description ?? 'No description') : '\u00a0'}>
        <Acts template={template} versions={versions} row={row} />
      </Heading>
      {error && (
        <>
          <Problem error={error} />
          <Empty title="This template cannot be shown">
            It may have been removed, or it belongs to another namespace. The screen Templates lists all templates.
          </Empty>
        </>
      )}
      {row?.paused && <Paused pauses={row.paused} />}
      {data && (
        <>
          <div className="flex flex-wrap items-start justify-between gap-x-4">
            <div className="min-w-0 grow">
              <Tabs label="Views of the template" tabs={VIEWS} current={view} onChoose={choose} />
            </div>
          </div>
          {(view === 'graph' || view === 'steps') && (
            <Period
              template={template}
              hours={hours}
              onChange={(next) =>
                setSearch((now) => {
                  now.set('hours', next);
                  return now;
                })
              }
            />
          )}
          <TabPanel current={view}>
            {view === 'graph' && <GraphView template={template} hours={hours} />}
            {view === 'steps' && <StepsView template={template} hours={hours} />}
            {view === 'input' && <Input template={template} />}
            {view === 'yaml' && <Yaml template={template} />}
            {view === 'compare' && <CompareView template={template} />}
          </TabPanel>
        </>
      )}
    </>
  );
}

export function Breadcrumbs({ namespace, children }: { namespace: string; children?: ReactNode }) {
  const link = useLinks();
  return (
    <nav aria-label="Breadcrumbs" className="mb-1 text-sm text-faint">
      <Link to={link('templates')} className="hover:text-ink hover:underline">
        Templates
      </Link>{' '}
      / {namespace}
      {children}
    </nav>
  );
}

interface ActsProps {
  template: TemplateName;
  versions: readonly TemplateRow[];
  row: TemplateRow | undefined;
}

function Acts({ template, versions, row }: ActsProps) {
  const navigate = useNavigate();
  const link = useLinks();
  const { namespace, name, version } = template;
  const label = `${namespace}/${name}@${version}`;
  const paused = row?.paused?.some(({ target }) => target === label);
  const verb = paused ? 'Resume' : 'Pause';
  const method = paused ? api.templates.resumeVersion : api.templates.pauseVersion;
  return (
    <div className="flex flex-wrap items-center gap-2">
      <select
        aria-label="Version"
        className="h-8 rounded-md border border-edge bg-surface px-2 text-sm text-ink"
        value={version}
        onChange={({ target }) => void navigate(link(addressOfTemplate({ ...template, version: target.value })))}
      >
        {(versions.length > 0 ? versions : [template]).map((one, at) => (
          <option key={one.version} value={one.version}>
            {one.version}
            {notesOf(versions, at)}
          </option>
        ))}
      </select>
      <Link
        className="inline-flex h-8 items-center rounded-md border border-edge bg-surface px-3 text-sm font-medium hover:bg-hover"
        to={link('tasks', { namespace, name })}
      >
        Show tasks
      </Link>
      {row && !row.active && (
        <ActButton
          method={api.templates.activate}
          act={{
            title: `Activate ${label}`,
            verb: 'Activate the version',
            preview:
              'Tasks without a version are created from it until the next activation, even if a higher version is registered. Running tasks keep theirs.',
            run: (said) => api.templates.activate(namespace, name, version, said),
          }}
        >
          Activate
        </ActButton>
      )}
      <ActButton
        method={method}
        act={{
          title: `${verb} ${label}`,
          verb: `${verb} the version`,
          preview: paused
            ? 'Steps of its tasks start again.'
            : 'Running steps finish. No other step of its tasks starts until it is resumed.',
          run: (said) => method(namespace, name, version, said),
        }}
      >
        {verb}
      </ActButton>
      <ActButton
        method={api.tasks.create}
        look="primary"
        onClick={() => void navigate(link(`${addressOfTemplate(template)}/new`))}
      >
        Create a task
      </ActButton>
    </div>
  );
}

/** Returns the labels after a version in the list: `(newest, active)`. */
function notesOf(versions: readonly TemplateRow[], at: number): string {
  if (versions.length <= 1) return '';
  const { active = false, pinned = false } = versions[at] ?? {};
  const notes = [at === 0 && 'newest', active && 'active', pinned && 'pinned'].filter(Boolean);
  return notes.length > 0 ? ` (${notes.join(', ')})` : '';
}

function Paused({ pauses }: { pauses: NonNullable<TemplateRow['paused']> }) {
  return (
    <p
      className={`mb-4 flex items-center gap-2 rounded-md border border-line bg-hover px-3 py-2 text-sm ${HUES.slate}`}
    >
      <StateShape state="paused" />
      <span>
        {pauses
          .map(({ scope, target, paused_by: by, reason }) =>
            [`The ${scope} ${target} is paused by ${by}`, reason && `(${reason})`].filter(Boolean).join(' '),
          )
          .join('. ')}
        . No step starts until it is resumed.
      </span>
    </p>
  );
}

function Period({
  template,
  hours,
  onChange,
}: {
  template: TemplateName;
  hours: number;
  onChange(hours: string): void;
}) {
  const { data } = useStats(template, hours);
  const link = useLinks();
  const blocked = data?.open?.blocked ?? 0;
  return (
    <div className="mb-3 flex flex-wrap items-center justify-between gap-x-6 gap-y-2 text-sm text-soft">
      <p className="tabular-nums">
        {data && endedText(data)}
        {blocked > 0 && (
          <>
            {' · '}
            <Link className="text-s-red underline" to={link('tasks', blockedOf(template))}>
              {areBlocked(blocked)}
            </Link>
          </>
        )}
        {data && data.steps.attempts > 0 && ` · ${percentText(data.steps.error_rate ?? 0)} of attempts failed`}
      </p>
      <select
        aria-label="Period"
        className="h-8 rounded-md border border-edge bg-surface px-2 text-sm text-ink"
        value={hours}
        onChange={({ target }) => onChange(target.value)}
      >
        {PERIODS.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

function endedText({ tasks }: Statistics): string {
  if (tasks.ended === 0) return 'No task ended in this period';
  const { p95_ms: p95 } = tasks.duration;
  const failed = `${counted(tasks.ended, 'task')} ended, ${percentText(tasks.error_rate ?? 0)} of them failed`;
  return `${failed}${p95 === null ? '' : `, p95 ${durationText(p95)}`}`;
}

function Input({ template }: { template: TemplateName }) {
  const { data } = useSource(template);
  if (!data) return null;
  const { input_schema: schema, default_context: defaults } = data.template;
  return (
    <>
      <Panel title="Schema of the context">
        {schema ? (
          <JsonTree name="the schema" value={schema} />
        ) : (
          <Empty title="Any context is accepted">
            With an input_schema in the template, the server checks contexts, and this page has a form for them.
          </Empty>
        )}
      </Panel>
      {defaults && (
        <Panel title="Default context">
          <JsonTree name="the default context" value={defaults} />
        </Panel>
      )}
    </>
  );
}

function Yaml({ template }: { template: TemplateName }) {
  const { data, error } = useYaml(template);
  if (error) return <Problem error={error} />;
  return data === undefined ? null : (
    <Panel>
      <YamlText name="YAML of the template" text={data} />
    </Panel>
  );
}
