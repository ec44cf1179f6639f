/** The screens of the main navigation, with the key that follows `g`. */
export interface Screen {
  name: string;
  path: string;
  key: string;
  /** The path of its icon, on a grid of 16. */
  icon: string;
}

export const GROUPS: readonly { name: string; screens: readonly Screen[] }[] = [
  {
    name: 'Now',
    screens: [
      { name: 'Home', path: '', key: 'h', icon: 'M2.5 7.2 8 2.8l5.5 4.4v6H9.8V9.6H6.2v3.6H2.5z' },
      { name: 'Tasks', path: 'tasks', key: 't', icon: 'M6 4h7.5M6 8h7.5M6 12h7.5M2.6 4h.6M2.6 8h.6M2.6 12h.6' },
      { name: 'Errors', path: 'errors', key: 'e', icon: 'M8 2.5 14 13H2zM8 6.4v3.2M8 11.3v.1' },
      { name: 'Dead letters', path: 'dead-letters', key: 'd', icon: 'M2.5 4h11v8.5h-11zM2.8 4.4 8 8.8l5.2-4.4' },
      { name: 'Approvals', path: 'approvals', key: 'a', icon: 'M2.5 2.5h11v11h-11zM5.2 8.2l2 2 3.8-4.3' },
    ],
  },
  {
    name: 'Defined',
    screens: [
      { name: 'Templates', path: 'templates', key: 'm', icon: 'M2.5 3h4v3.4h-4zM9.5 9.6h4V13h-4zM6.5 4.7h2.7v6.6' },
      { name: 'Schedules', path: 'schedules', key: 's', icon: 'M8 2.3a5.7 5.7 0 1 1-.01 0M8 4.9V8l2.2 1.6' },
      { name: 'Events', path: 'events', key: 'v', icon: 'M8.8 2 3.5 9h4l-.6 5 5.6-7.2H8.2z' },
    ],
  },
  {
    name: 'System',
    screens: [
      {
        name: 'Workers',
        path: 'workers',
        key: 'w',
        icon: 'M4 4h8v8H4zM6.3 1.8V4M9.7 1.8V4M6.3 12v2.2M9.7 12v2.2M1.8 6.3H4M1.8 9.7H4M12 6.3h2.2M12 9.7h2.2',
      },
      { name: 'Queues', path: 'queues', key: 'q', icon: 'M2.5 3.5h11M2.5 6.5h11M2.5 9.5h7M2.5 12.5h4' },
      { name: 'Stats', path: 'stats', key: 'i', icon: 'M2.5 13.5h11M4.5 11V8M8 11V3.5M11.5 11V6' },
      { name: 'Audit', path: 'audit', key: 'u', icon: 'M4 2.3h5.5L12.5 5v8.7H4zM6.3 7h4M6.3 9.7h4' },
      {
        name: 'Settings',
        path: 'settings',
        key: ',',
        icon: 'M2.5 4.7h7M12 4.7h1.5M2.5 11.3H4M6.6 11.3h7M9.4 3.2h2.4v3H9.4zM4.1 9.8h2.4v3H4.1z',
      },
    ],
  },
];

export const SCREENS: readonly Screen[] = GROUPS.flatMap(({ screens }) => screens);
