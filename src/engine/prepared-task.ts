import type { NewActiveTask } from '../store/active-versions.ts';
import type { TaskKey } from './unique/key-of-task.ts';

/** A task to create, with its identities in the other versions of its template. */
export interface PreparedTask extends NewActiveTask {
  /** Set if its template has `unique`. */
  unique?: TaskKey;
  /** The versions of `otherHashes`, in the same order. */
  otherVersions?: readonly string[];
}
