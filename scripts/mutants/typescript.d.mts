export function typescriptMutants(
  file: string,
  text: string,
  isSql: () => boolean,
): { start: number; end: number; replacement: string; operator: string }[];
