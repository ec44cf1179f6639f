export interface NamesOfPackage {
  names: readonly string[];
  absent: Readonly<Record<string, readonly string[]>>;
}

export function namesTable(names: NamesOfPackage, reference: string): string;
export function withNames(page: string, table: string): string;
