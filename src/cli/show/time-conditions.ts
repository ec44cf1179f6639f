/** Describes the conditions on a time, such as that tasks `ended`: the text that a person typed for each end. */
export function timeConditions(
  event: string,
  { after, before }: { after: string | undefined; before: string | undefined },
): string[] {
  if (isAge(after) && isAge(before)) return [`${event} between ${after} and ${before} ago`];
  return [
    ...(after === undefined ? [] : [isAge(after) ? `${event} in the last ${after}` : `${event} since ${after}`]),
    ...(before === undefined ? [] : [isAge(before) ? `${event} more than ${before} ago` : `${event} before ${before}`]),
  ];
}

/** Returns whether a time is an age: it begins with a number and is not a date. */
function isAge(time: string | undefined): boolean {
  return time !== undefined && /^\d/.test(time) && !/^\d{4}-/.test(time);
}
