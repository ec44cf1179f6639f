import { isAway } from '../api/connection.tsx';
import { Problem } from './controls.tsx';

/** Shows why data could not be read. A page that has older data shows a lost connection as a banner instead. */
export function ReadProblem({ error, hasData }: { error: Error | null; hasData: boolean }) {
  if (!error || (hasData && isAway(error))) return null;
  return <Problem error={error} />;
}
