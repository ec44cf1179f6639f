export const HOT: readonly string[];
export const NOT_HOT: Readonly<Record<string, string>>;
