// The code that only taskers that run steps or deliver events need. `createTasker` loads it on demand, so that most
// commands start faster.
export { allSinks, sinksFromConfig } from '../../events/sinks/all-sinks.ts';
export { Worker } from '../../worker/worker.ts';
export { eventRegistries } from '../event-registries.ts';
export { DiscoveredSubscribers } from '../project/discovered-subscribers.ts';
export { loadHandlers } from '../project/handler-folders.ts';
export { Project } from '../project/project.ts';
export { workflowWarnings } from '../project/with-workflows.ts';
export { ServedTasker } from '../server/served-tasker.ts';
export { HealthLoop } from '../server/worker-health.ts';
