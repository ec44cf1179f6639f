import type { z } from 'zod';

/** A field name of a file (`max_attempts`) in camelCase (`maxAttempts`). */
type CamelCase<Name extends string> = Name extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : Name;

type Shape = Readonly<Record<string, z.ZodType>>;
/** The fields of a file. */
type FileOf<Fields extends Shape> = { [Name in keyof Fields]?: z.infer<Fields[Name]> };

/** The fields as programs see them, all present. */
type ProgramOf<Fields extends Shape, Defaults> = {
  [Name in keyof Fields & string as CamelCase<Name>]: undefined extends z.infer<Fields[Name]>
    ? NonNullable<z.infer<Fields[Name]>> | (CamelCase<Name> extends keyof Defaults ? never : null)
    : z.infer<Fields[Name]>;
};

const camelCase = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

/** The names of a form's fields in files and in programs. Cached, because a large template needs them 10,000 times. */
const known = new WeakMap<z.ZodObject, (readonly [inFile: string, inProgram: string])[]>();

function namesOf(form: z.ZodObject) {
  const names = known.get(form) ?? Object.keys(form.shape).map((name) => [name, camelCase(name)] as const);
  known.set(form, names);
  return names;
}

/** Returns the fields of a file with this form, in camelCase. Missing fields get their default, else null. */
export function fromFile<Fields extends Shape, Defaults extends Partial<ProgramOf<Fields, object>> = object>(
  form: z.ZodObject<Fields>,
  file: FileOf<Fields>,
  defaults?: Defaults,
): ProgramOf<Fields, Defaults> {
  const otherwise = (defaults ?? {}) as Record<string, unknown>;
  const fields = namesOf(form).map(([inFile, inProgram]) => [
    inProgram,
    (file as Record<string, unknown>)[inFile] ?? otherwise[inProgram] ?? null,
  ]);
  return Object.fromEntries(fields) as ProgramOf<Fields, Defaults>;
}

/** Returns the fields under their names in files. Fields that are null are omitted. */
export function toFile(form: z.ZodObject, fields: object): Record<string, unknown> {
  const named = namesOf(form).map(([inFile, inProgram]) => [inFile, (fields as Record<string, unknown>)[inProgram]]);
  return Object.fromEntries(named.filter(([, value]) => value !== null && value !== undefined));
}
