import { DURATION_FORMS } from '../../model/duration.ts';
import { nearNames } from '../../model/near-names.ts';
import type { ScheduleSpec } from '../../model/schedule/spec.ts';
import type { FormIssue } from '../check-form.ts';
import { describeIssue } from '../describe-issue.ts';
import { locate, pathText } from '../locate.ts';
import { problemsAt, type TemplateProblem } from '../parse-template.ts';
import { type ReadYaml, readYaml } from '../read-yaml.ts';
import type { Path } from '../spellings.ts';
import type { Finding } from '../step-rules.ts';
import { SCHEDULE_KEYS, scheduleFile, specOf } from './schedule-file.ts';

/** The outcome of parsing the file of a schedule. `schedule` is null if and only if there are problems. */
export interface ParsedSchedule {
  schedule: ScheduleSpec | null;
  problems: TemplateProblem[];
}

/** Parses and checks the file of a schedule. Returns all problems together. Never throws because of its contents. */
export function parseSchedule(text: string, file?: string): ParsedSchedule {
  const read = readYaml(text.replace(/^\uFEFF/, ''));
  if (read.problems.length > 0) return { schedule: null, problems: textProblems(read, file) };
  const parsed = scheduleFile.safeParse(read.data, { reportInput: true });
  if (parsed.success) return { schedule: specOf(parsed.data), problems: [] };
  const findings = parsed.error.issues.flatMap((issue) => findingsOf(issue, read));
  return { schedule: null, problems: problemsAt(text, findings, file) };
}

function textProblems(read: ReadYaml, file: string | undefined): TemplateProblem[] {
  return read.problems.map(({ offset, code, message, severity }) => {
    const { line, col } = read.lines.linePos(offset);
    return {
      severity,
      code,
      message: OWN_MESSAGES[code] ?? message,
      file: file ?? null,
      line: Math.max(1, line),
      column: Math.max(1, col),
      path: '',
    };
  });
}

const OWN_MESSAGES: Readonly<Record<string, string>> = {
  empty_file: 'the file is empty; a schedule needs at least name, template, and cron or every',
  several_documents:
    'a second document starts here; a file must contain one schedule, so move the other to its own file',
};

function findingsOf(issue: FormIssue, read: ReadYaml): Finding[] {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const [near] = nearNames(key, SCHEDULE_KEYS, 1);
      const way = near === undefined ? `the keys are ${SCHEDULE_KEYS.join(', ')}` : `did you mean \`${near}\`?`;
      const message = `unknown key \`${key}\` in the schedule; ${way}`;
      return { severity: 'error', code: 'unknown_key', message, path: [...path, key], atKey: true };
    });
  }
  const { place, written } = locate(read, path);
  const where = written.length === 0 ? 'the schedule' : `\`${pathText(written)}\``;
  const described = describeIssue(issue, { where, key: written.at(-1) ?? '', source: place.source });
  const { code } = described;
  const message =
    issue.code === 'custom'
      ? `${where} ${issue.message}`
      : issue.code === 'invalid_union'
        ? `${where} must be a duration: ${DURATION_FORMS}`
        : described.message;
  return [{ severity: 'error', code, message, path }];
}
