import { payloadSchema } from '../../model/signal-names.ts';
import {
  type ChildConfig,
  type SignalConfig,
  type StepTemplate,
  type TaskTemplate,
  waitsByType,
} from '../task-template.ts';
import { compared } from './event-catalogue.ts';
import { keyOf, quoted } from './type-name.ts';

/** The name of the map from steps that wait to the types of their results. */
export const WAIT_MAP = 'WaitResults';

const TIMER = 'TimerResult';
const APPROVAL = 'ApprovalResult';

const DECLARATIONS: Readonly<Record<string, string>> = {
  [TIMER]: `/** The result of a timer. Times are ISO 8601. */
export interface ${TIMER} {
  due_at: string;
  fired_at: string;
}
`,
  [APPROVAL]: `/** The result of an approval. \`by\`: the person whose vote decided; null if it timed out. */
export interface ${APPROVAL} {
  decision: 'approved' | 'rejected' | 'timed_out';
  by: string | null;
  at: string;
  comment: string | null;
  form: unknown;
  votes: { by: string; decision: 'approve' | 'reject'; at: string; comment: string | null; form: unknown }[];
}
`,
};

/** Returns the type of a signal's payload. */
type PayloadType = (
  signal: { name: string; schema: SignalConfig['schema'] },
  step: string,
  template: TaskTemplate,
) => string;

/**
 * Returns the result types of steps that wait, by template and step, because no handler declares these types. Empty if
 * no step waits.
 */
export function waitTypes(templates: readonly TaskTemplate[], payloadType: PayloadType): string[] {
  const byKey = new Map(
    templates.map((template) => [`${template.namespace}/${template.name}@${template.version}`, template]),
  );
  const used = new Set<string>();
  const members = [...byKey]
    .sort(([a], [b]) => compared(a, b))
    .flatMap(([key, template]) => {
      const results = template.steps
        .filter((step) => waitsByType(step.type))
        .map((step) => `    ${keyOf(step.name)}: ${resultType(step, template, payloadType, used)};\n`);
      return results.length > 0 ? [`  ${quoted(key)}: {\n${results.join('')}  };\n`] : [];
    });
  if (members.length === 0) return [];
  const comment = '/** The results of steps that wait, by their template and step. */';
  const map = `${comment}\nexport interface ${WAIT_MAP} {\n${members.join('')}}\n`;
  return [...[...used].sort().map((name) => DECLARATIONS[name]!), map];
}

function resultType(step: StepTemplate, template: TaskTemplate, payloadType: PayloadType, used: Set<string>): string {
  const { signal } = step;
  if (!signal) {
    if (step.child) return childType(step.child);
    if (step.type === 'fail') return '{ message: string }';
    if (step.forEach) return FOR_EACH_RESULT;
    const name = step.type === 'timer' ? TIMER : APPROVAL;
    used.add(name);
    return name;
  }
  const typeOf = (name: string) => payloadType({ name, schema: payloadSchema(signal, name) }, step.name, template);
  if (signal.names) {
    const union = signal.names.map((name) => `{ name: ${quoted(name)}; payload: ${typeOf(name)} }`).join(' | ');
    return signal.onTimeout === 'complete' ? 'unknown' : union;
  }
  const payload = typeOf(signal.name!);
  const result = signal.count > 1 ? `${/[|&]/.test(payload) ? `(${payload})` : payload}[]` : payload;
  // With a count, the schema of one payload does not cover the default.
  const isOther = signal.onTimeout === 'complete' && (signal.schema === null || signal.count > 1);
  return isOther ? 'unknown' : result;
}

/** The output of the child is that of another template, of which another version may be active. */
function childType({ onFailure }: ChildConfig): string {
  if (onFailure === 'fail') return 'unknown';
  return '{ task_uuid: string; state: string; output: unknown; error: { type: string; message: string } | null }';
}

/** The result of a list. `outputs` exists only if its step has `output`. */
const FOR_EACH_RESULT =
  '{ total: number; completed: number; failed: number; outputs?: unknown[]; failures: { element: number; key: string | null; step: string; message: string }[] }';

/** The names that the declarations may use. */
export const WAIT_TYPE_NAMES: readonly string[] = [WAIT_MAP, TIMER, APPROVAL];
