export const EQUIVALENT: readonly {
  file: string;
  line: string;
  operator: string;
  original: string;
  replacement: string;
  why: string;
}[];
