import { nearNames } from '../../model/near-names.ts';
import { type Fault, type ValueForm, WRONG } from '../value-forms.ts';
import { isTable, type TomlTable } from './read-toml.ts';

/** The forms of the keys of a table. */
type Fields<Table> = { readonly [Name in keyof Required<Table>]: ValueForm<NonNullable<Table[Name]>> };

/** The form of a list of tables. */
export interface ListOfTables<Table> {
  fields: Fields<Table>;
  required: readonly (keyof Table & string)[];
  /** The description of the list after "must be". */
  words: string;
  /** The description of one table after "must be". Default: that of the list. */
  each?: string;
  /** The description of a key whose value is not a list, after "must be". Default: that of its form. */
  asList?: Partial<Record<keyof Table, string>>;
  /** Returns the description after "must be" of a list whose tables do not go together. */
  together?(tables: readonly Table[]): string | undefined;
}

/** Returns the form of a list of tables, which describes every invalid key of every table. */
export function listOfTables<Table extends object>(options: ListOfTables<Table>) {
  const { fields, required, words, each = words, asList, together } = options;
  const forms = Object.entries(fields) as [keyof Table & string, ValueForm<unknown>][];
  const faultsOfTable = (table: unknown, at: number): Fault[] => {
    if (!isTable(table)) return [{ path: [at], message: `must be ${each}` }];
    const wrong = forms.filter(([name, form]) =>
      table[name] === undefined ? required.includes(name) : form.parse(table[name]) === WRONG,
    );
    const faults = wrong.flatMap(([name, form]) => {
      const parts = form.wrongParts?.(table[name]) ?? [];
      const message = `must be ${(Array.isArray(table[name]) ? undefined : asList?.[name]) ?? form.words}`;
      return (parts.length > 0 ? parts.map((part) => [part]) : [[]]).map((part) => ({
        path: [at, name, ...part],
        message,
      }));
    });
    const unknown = Object.keys(table).filter((key) => !Object.hasOwn(fields, key));
    return unknown.length === 0 ? faults : [...faults, unknownKeys(unknown, { at, known: Object.keys(fields) })];
  };
  const read = (table: TomlTable) => {
    const given = forms.filter(([name]) => table[name] !== undefined);
    return Object.fromEntries(given.map(([name, form]) => [name, form.parse(table[name])])) as Table;
  };
  const faults = (list: unknown): Fault[] => {
    if (!Array.isArray(list)) return [];
    const whole = together?.(list.filter(isTable).map(read));
    return [
      ...list.flatMap(faultsOfTable),
      ...(whole === undefined ? [] : [{ path: [], message: `must be ${whole}` }]),
    ];
  };
  const properties = Object.fromEntries(forms.map(([name, { json }]) => [name, json]));
  return {
    parse: (list: unknown) => (Array.isArray(list) && faults(list).length === 0 ? list.map(read) : WRONG),
    json: { type: 'array', items: { type: 'object', properties, required, additionalProperties: false } },
    words,
    faults,
  } as const;
}

function unknownKeys(keys: readonly string[], { at, known }: { at: number; known: readonly string[] }): Fault {
  const near = nearNames(keys[0]!, known, 1)[0];
  const way = near === undefined ? `the keys are ${known.join(', ')}` : `did you mean ${near}?`;
  return { path: [at], unknown: keys[0]!, message: `has unknown key ${keys.join(', ')}; ${way}` };
}

/** Returns the form of a table whose values have one form. */
export function tableOf<T>(
  { parse, json }: Pick<ValueForm<T>, 'parse' | 'json'>,
  words: string,
): ValueForm<Record<string, T>> {
  const wrongParts = (table: unknown) =>
    isTable(table) ? Object.keys(table).filter((key) => parse(table[key]) === WRONG) : [];
  return {
    parse: (table) =>
      isTable(table) && wrongParts(table).length === 0
        ? Object.fromEntries(Object.entries(table).map(([key, value]) => [key, parse(value) as T]))
        : WRONG,
    json: { type: 'object', propertyNames: { type: 'string' }, additionalProperties: json },
    words,
    wrongParts,
  };
}
