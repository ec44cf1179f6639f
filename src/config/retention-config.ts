import { listOfTables } from './toml/table-forms.ts';
import * as forms from './value-forms.ts';

/** One `[[retention.rules]]` in the file. */
export interface RetentionRuleConfig {
  namespace?: string | undefined;
  /** The name of the template. */
  name?: string | undefined;
  /** A version, or a range. */
  version?: string | undefined;
  status?: string[] | undefined;
  /** Milliseconds after the end of a task; 0 means never. */
  keepMs: number;
}

const STATES = ['complete', 'error', 'cancelled', 'resolved_manually'] as const;

const state = forms.oneOf(STATES);
const states = forms.listOf(state, `one or several of ${STATES.join(', ')}`, 1);

const tables = listOfTables<Omit<RetentionRuleConfig, 'keepMs'> & { days: number }>({
  fields: {
    days: { ...forms.days, words: `${forms.days.words}; 0 means never` },
    namespace: forms.word,
    name: forms.word,
    version: { ...forms.word, words: 'a version, or a range such as 1.x' },
    status: {
      parse: (value: unknown) => states.parse(Array.isArray(value) ? value : [value]),
      json: { anyOf: [state.json, states.json] },
      words: states.words,
    },
  },
  required: ['days'],
  words: 'a list of tables, each with days',
});

/** The list of rules in the file. */
export const retentionRules: forms.ValueForm<RetentionRuleConfig[]> = {
  ...forms.refined(tables, (list) => list.map(({ days: keepMs, ...rule }) => ({ ...rule, keepMs }))),
  inFile: (rules) => rules.map(({ keepMs, ...rule }) => ({ ...rule, days: keepMs / 86_400_000 })),
  faults: tables.faults,
};
