import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Surroundings } from '../../config/surroundings.ts';
import { nearNames } from '../../model/near-names.ts';
import { problemsAt, type TemplateProblem } from '../../template/parse-template.ts';
import type { ChildConfig, TaskTemplate } from '../../template/task-template.ts';
import { readTemplateName, requestedTemplate } from '../../template/template-name.ts';
import { highestVersion } from '../../template/version-order.ts';
import type { LoadedTemplates } from './load-templates.ts';

/**
 * Returns warnings about steps of the type `task` that do not match the template of their child, if it is among these
 * files: misspelt names, and keys of `context` that its `input_schema` does not accept. They are warnings, because the
 * version of the child is known only when the step starts.
 */
export async function checkChildren(
  { fileOf }: Pick<LoadedTemplates, 'fileOf'>,
  { cwd = '' }: Partial<Surroundings> = {},
): Promise<TemplateProblem[]> {
  const known = new KnownTemplates(fileOf.keys());
  const problems: TemplateProblem[] = [];
  for (const [template, file] of fileOf) {
    const findings = template.steps.flatMap(({ name, child }, at) =>
      child
        ? mismatches(child, { step: name, namespace: template.namespace, known }).map(({ field, ...finding }) => ({
            severity: 'warning' as const,
            ...finding,
            path: ['steps', at, field],
          }))
        : [],
    );
    if (findings.length > 0)
      problems.push(...problemsAt(await readFile(path.resolve(cwd, file), 'utf8'), findings, file));
  }
  return problems;
}

interface Mismatch {
  field: string;
  code: string;
  message: string;
}

function mismatches(
  child: ChildConfig,
  { step, namespace, known }: { step: string; namespace: string; known: KnownTemplates },
): Mismatch[] {
  const wanted = readTemplateName(child.template, namespace);
  const name = requestedTemplate({ namespace: wanted.namespace, name: wanted.name });
  const template = known.find(name, wanted.version);
  if (!template) {
    // A template without a similar name may be registered by another program.
    const near = known.near(name);
    if (near === undefined) return [];
    const message = `step \`${step}\`: template ${name} is not in these files; did you mean ${near}?`;
    return [{ field: 'template', code: 'unknown_child', message }];
  }
  const { required, properties, additionalProperties } = template.inputSchema ?? {};
  const given = Object.keys(child.context ?? {});
  const allowed = properties !== null && typeof properties === 'object' ? Object.keys(properties) : [];
  const field = child.context ? 'context' : 'template';
  const of = `the \`input_schema\` of ${requestedTemplate(template)}`;
  const missing = (Array.isArray(required) ? required : []).filter(
    (key): key is string => typeof key === 'string' && !given.includes(key),
  );
  return [
    ...missing.map((key) => ({
      field,
      code: 'missing_context',
      message: `step \`${step}\`: \`context\` lacks \`${key}\`, which ${of} requires`,
    })),
    ...given
      .filter((key) => additionalProperties === false && !allowed.includes(key))
      .map((key) => {
        const [near] = nearNames(key, allowed, 1);
        const advice = near === undefined ? '' : `; did you mean \`${near}\`?`;
        const message = `step \`${step}\`: \`context\` has \`${key}\`, which ${of} does not allow${advice}`;
        return { field, code: 'unknown_context', message };
      }),
  ];
}

/** The templates of the files, by name. */
class KnownTemplates {
  readonly #byName = new Map<string, Map<string, TaskTemplate>>();

  constructor(templates: Iterable<TaskTemplate>) {
    for (const template of templates) {
      const name = requestedTemplate({ namespace: template.namespace, name: template.name });
      const versions = this.#byName.get(name) ?? new Map<string, TaskTemplate>();
      this.#byName.set(name, versions.set(template.version, template));
    }
  }

  /** Returns a version of a template. Without a version, the highest. */
  find(name: string, version: string | undefined): TaskTemplate | undefined {
    const versions = this.#byName.get(name);
    return versions?.get(version ?? highestVersion(versions.keys()) ?? '');
  }

  /** Returns the most similar name. Undefined if there is none, or only the version is unknown. */
  near(name: string): string | undefined {
    return this.#byName.has(name) ? undefined : nearNames(name, this.#byName.keys(), 1)[0];
  }
}
