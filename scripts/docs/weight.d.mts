export interface Weight {
  bytes: number;
  packages: number;
  heaviest: { name: string; bytes: number }[];
}

export function weightOf(project: string): Weight;
export function withWeight(page: string, weight: Weight): string;
export function weightProblems(weight: Weight, page: string): string[];
