export function checkLinks(root: string): string[];
export function checkCommits(root: string, after?: string): string[];
