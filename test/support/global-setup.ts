/** What the whole suite needs once: the build that child processes run. */
export default async function setup(): Promise<void> {}
