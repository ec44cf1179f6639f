export interface Text {
  line: number;
  kind: 'page' | 'row' | 'comment' | 'string' | 'title';
  text: string;
}
export function textsOf(file: string, text: string): Text[];
export function sentencesOf(text: string): string[];
