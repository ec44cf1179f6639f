import { lazy } from 'react';
import { Route, Routes } from 'react-router';
import { Frame } from './frame/frame.tsx';
import { NotFound } from './screens/not-found.tsx';

// Each screen is loaded when it is first shown.
const Home = lazy(() => import('./screens/home.tsx'));
const Tasks = lazy(() => import('./screens/tasks/tasks.tsx'));
const CompareTasks = lazy(() => import('./screens/compare-tasks.tsx'));
const Task = lazy(() => import('./screens/task/task.tsx'));
const Errors = lazy(() => import('./screens/errors.tsx'));
const DeadLetters = lazy(() => import('./screens/dead-letters.tsx'));
const Approvals = lazy(() => import('./screens/approvals.tsx'));
const Templates = lazy(() => import('./screens/templates.tsx'));
const Template = lazy(() => import('./screens/template/template.tsx'));
const NewTask = lazy(() => import('./screens/template/new-task.tsx'));
const Schedules = lazy(() => import('./screens/schedules.tsx'));
const Schedule = lazy(() => import('./screens/schedule/schedule.tsx'));
const ScheduleForm = lazy(() => import('./screens/schedule/schedule-form.tsx'));
const Events = lazy(() => import('./screens/events.tsx'));
const Workers = lazy(() => import('./screens/workers.tsx'));
const Worker = lazy(() => import('./screens/worker/worker.tsx'));
const Queues = lazy(() => import('./screens/queues.tsx'));
const Stats = lazy(() => import('./screens/stats.tsx'));
const Audit = lazy(() => import('./screens/audit.tsx'));
const Settings = lazy(() => import('./screens/settings.tsx'));

export function App() {
  return (
    <Routes>
      <Route element={<Frame />}>
        <Route index element={<Home />} />
        <Route path="tasks" element={<Tasks />} />
        <Route path="tasks/compare" element={<CompareTasks />} />
        <Route path="tasks/:uuid" element={<Task />} />
        <Route path="errors" element={<Errors />} />
        <Route path="dead-letters" element={<DeadLetters />} />
        <Route path="approvals" element={<Approvals />} />
        <Route path="templates" element={<Templates />} />
        <Route path="templates/:namespace/:name/:version" element={<Template />} />
        <Route path="templates/:namespace/:name/:version/new" element={<NewTask />} />
        <Route path="schedules" element={<Schedules />} />
        <Route path="schedules/new/form" element={<ScheduleForm />} />
        <Route path="schedules/:name" element={<Schedule />} />
        <Route path="schedules/:name/edit" element={<ScheduleForm />} />
        <Route path="events" element={<Events />} />
        <Route path="workers" element={<Workers />} />
        <Route path="workers/:name" element={<Worker />} />
        <Route path="queues" element={<Queues />} />
        <Route path="stats" element={<Stats />} />
        <Route path="audit" element={<Audit />} />
        <Route path="settings" element={<Settings />} />
        <Route path="*" element={<NotFound />} />
      </Route>
    </Routes>
  );
}
