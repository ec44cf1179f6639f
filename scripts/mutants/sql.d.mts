export function sqlMutants(text: string): { start: number; end: number; replacement: string; operator: string }[];
