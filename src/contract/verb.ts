import type { z } from 'zod';
import type { Permission } from '../model/permissions.ts';

/** The schemas of a request. Fields have the names that callers send, in snake_case. */
export interface Takes {
  /** The parameters in the path. */
  path?: z.ZodType;
  query?: z.ZodType;
  headers?: z.ZodType;
  /** The required JSON body. */
  body?: z.ZodType;
  /** The optional JSON body. */
  optionalBody?: z.ZodType;
  /** The schema of each content type, for a body that is not always JSON. The route of such a verb is written by hand. */
  bodyByHand?: Readonly<Record<string, z.ZodType>>;
}

/** The thing that a verb acts on. It decides which callers that are limited to namespaces may use the verb. */
export type ActsOn =
  /** The thing or the namespace that the path names. The caller must be allowed to see its namespace. */
  | 'task'
  | 'namespace'
  | 'schedule'
  | 'dead_letter'
  /** Everything that the caller may see: the verb limits its reads and changes to the namespaces of the caller. */
  | 'visible'
  /** All namespaces. Callers that are limited to namespaces are refused. */
  | 'installation';

/**
 * A tool for assistants that is a verb. Its arguments are the parameters and fields of the verb. The mark lists only the
 * differences from the verb. In the names below, `task_uuid` is the parameter `uuid`, and `step` the parameter `step_uuid`.
 */
export interface McpTool {
  /** The name of the tool, such as `task_cancel`. */
  name: string;
  /** Default: the summary of the verb. */
  description?: string;
  /** Descriptions of arguments. Default: those of the schemas. */
  about?: Readonly<Record<string, string>>;
  /** The tool that describes the same arguments. They have no descriptions in this tool. */
  describedBy?: string;
  /** Parameters and fields with a fixed value. They are not arguments. */
  fixed?: Readonly<Record<string, string>>;
  /** Values of required fields. They are optional arguments. */
  defaults?: Readonly<Record<string, string>>;
  /** Parameters and fields that are not arguments. */
  without?: readonly string[];
  /** The field for the name of the operator. It is not an argument. Default: `by`, if the verb has it. */
  operator?: string;
  /** The effect, as a phrase for previews, with arguments in braces: `cancel task {task_uuid}`. Not for GET. */
  does?: string;
  /** Whether the change ends running work or cannot be undone. Default false. */
  destructive?: true;
  /**
   * The route that a preview reads, with arguments in braces. Of several, the first whose arguments were given. Default: the
   * route of what the verb acts on.
   */
  preview?: string | readonly string[];
  /** Advice in errors that needs a parameter that is not an argument, and the advice to the callers of the tool. */
  advice?: Readonly<Record<string, string>>;
  /** How to get the rest of a result that is too long, with arguments in braces. Default: the parameters of pages. */
  rest?: string;
}

/** A verb: an operation of the API, as every door describes it. */
export interface Verb {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** The path of its route, with braces around parameters. */
  path: string;
  /** The permission that the caller needs. `public`: no credential; `authenticated`: any credential. */
  permission: Permission | 'public' | 'authenticated';
  on: ActsOn;
  /** One line, which begins with a verb. */
  summary: string;
  /** Details, in Markdown. */
  description?: string;
  takes?: Takes;
  /** The JSON of the response. `z.never()`: the response has no JSON form. */
  gives: z.ZodType;
  /** Default 200. */
  status?: 200 | 201 | 202;
  /** Errors in addition to the errors of every route. Routes with a body also have 413 and 415. */
  errors?: readonly (400 | 404 | 409 | 413)[];
  /** The name of the operation in generated clients. Default: derived from method and path, such as `getTaskContext`. */
  operationId?: string;
  /** The group in the documentation. Default: the first part of the path. */
  tag?: string;
  /**
   * Whether unknown parameters and fields are ignored, because clients of the described system may send them. Names that
   * resemble a known name are rejected nevertheless. Default false: all unknown names are rejected.
   */
  tolerant?: boolean;
  /** Whether the response has an ETag, so that a request with `If-None-Match` can get 304. Default false. */
  etag?: boolean;
  /** Other forms of the response, by content type, with a description of each. */
  otherForms?: Readonly<Record<string, string>>;
  /** The tools for assistants. Verbs without this mark are not offered to assistants. */
  mcp?: McpTool | readonly McpTool[];
}

/** Describes a verb, and keeps its types. */
export function verb<const Described extends Verb>(described: Described): Described {
  return described;
}
