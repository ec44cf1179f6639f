import { type Group, type Progress, progressOf } from './shape.ts';

/** Returns the progress of a batch in words. */
export function progressText({ all, done, failed }: Progress): string {
  return `${done} of ${all}${failed > 0 ? `, ${failed} failed` : ''}`;
}

/** The numbers of workers of a batch, or of elements of a list, that are done, failed and running. */
export function BatchBar({ group }: { group: Pick<Group, 'steps' | 'name' | 'elementOf' | 'elements'> }) {
  const progress = progressOf(group);
  const { all, done, failed, running } = progress;
  const share = (count: number) => ({ width: `${(count / Math.max(1, all)) * 100}%` });
  return (
    <div
      role="progressbar"
      aria-label={`Progress of ${group.name}`}
      aria-valuemin={0}
      aria-valuemax={all}
      aria-valuenow={done}
      aria-valuetext={progressText(progress)}
      className="flex h-1.5 w-full overflow-hidden rounded-full bg-line"
    >
      <span className="bg-s-green" style={share(done)} />
      <span className="bg-s-red" style={share(failed)} />
      <span className="bg-s-blue" style={share(running)} />
    </div>
  );
}
