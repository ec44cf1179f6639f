import * as forms from './value-forms.ts';

/** The settings of schedules. */
export const SCHEDULE_KEYS = {
  /** Folders and files of schedules; empty if there are none. */
  schedulePaths: {
    path: 'schedules.search_paths',
    variables: ['TASKER_SCHEDULE_PATH'],
    form: forms.paths,
    byDefault: [] as string[],
    defaultWords: '`schedules` of the project',
    isPath: true as const,
    about:
      'Folders or files of schedules, for the commands and `bootstrapWorker`. A worker creates and updates their schedules when it starts. `createTasker` has the option `schedules` instead.',
  },
  /** The package to which the schedules in files belong. */
  scheduleSource: {
    path: 'schedules.source',
    form: forms.word,
    byDefault: undefined as string | undefined,
    defaultWords: 'the name in `package.json`',
    about:
      'The package to which the schedules in files belong. `tasker schedule apply` pauses only schedules of the same source.',
  },
};
