/** A rate, such as `100/s`: a number of starts for each second, minute, hour or day. */
export const RATE = /^([0-9]{1,9}(?:\.[0-9]{1,6})?)\/([smhd])$/;

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Returns the number of starts for each second. Undefined if the text is not a rate. */
export function perSecond(rate: string): number | undefined {
  const [, count, unit] = RATE.exec(rate) ?? [];
  return count === undefined ? undefined : Number(count) / SECONDS[unit!]!;
}
