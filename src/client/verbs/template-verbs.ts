import type { CallOptions } from '../client-options.ts';
import type { RegisteredTemplate, TemplatesVerbs, ValidatedTemplate } from '../contract.ts';
import { path } from '../path.ts';
import type { Send } from '../send.ts';
import type { Act, ActivationInfo, PauseOutcome } from '../types.ts';

type AllVersions = { namespace: string; name: string; version?: string | undefined };
type Named = AllVersions & { version: string };
type Result<Verb extends keyof TemplatesVerbs> = Awaited<ReturnType<TemplatesVerbs[Verb]>>;

/** The verbs that name a template by an object, or send its content. `source`: YAML, or the content as an object. */
export function templateVerbs(send: Send) {
  const at = ({ namespace, name, version }: AllVersions, act: string) =>
    version === undefined
      ? path`/v1/templates/${namespace}/${name}/${act}`
      : path`/v1/templates/${namespace}/${name}/${version}/${act}`;
  const body = (source: string | object) => (typeof source === 'string' ? { source } : source);
  return {
    /** Returns a template in the form of a template file. */
    source: (template: Named, options?: CallOptions) =>
      send<Result<'source'>>('GET', at(template, 'source'), {}, options),
    /** Returns the steps of a template and their dependencies. */
    graph: (template: Named, options?: CallOptions) => send<Result<'graph'>>('GET', at(template, 'graph'), {}, options),
    /** Returns the changes from the version `from`. */
    diff: (template: Named, from: string, options?: CallOptions) =>
      send<Result<'diff'>>('GET', at(template, 'diff'), { with: from }, options),
    /** Registers a template. New tasks use it immediately, and running tasks keep theirs. */
    register: (source: string | object, options?: CallOptions) =>
      send<RegisteredTemplate>('POST', '/v1/templates', body(source), options),
    /** Checks a template, and compares it with the registered one. */
    validate: (source: string | object, options?: CallOptions) =>
      send<ValidatedTemplate>('POST', '/v1/templates/validate', body(source), options),
    /**
     * Makes a version of a template the active version, which tasks without a version are created from, and pins it.
     * `latest` makes the highest version active, and ends the pin.
     */
    activate: (template: Named, by?: Act, options?: CallOptions) =>
      send<ActivationInfo>('POST', at(template, 'activate'), by, options),
    /** Pauses a version of a template, or all its versions. Running steps finish. */
    pause: (template: AllVersions, by?: Act, options?: CallOptions) =>
      send<PauseOutcome>('POST', at(template, 'pause'), by, options),
    /** Ends the pause of a template. */
    resume: (template: AllVersions, by?: Act, options?: CallOptions) =>
      send<PauseOutcome>('POST', at(template, 'resume'), by, options),
  };
}
