import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router';
import { ApiError, ROOT } from './api/client.ts';
import { ConnectionProvider } from './api/connection.tsx';
import { LiveProvider } from './api/live.tsx';
import { MeProvider } from './api/me.tsx';
import { StreamProvider } from './api/stream.tsx';
import { App } from './app.tsx';
import { Away } from './frame/away.tsx';
import { Login } from './frame/login.tsx';
import { applyTheme } from './frame/theme.ts';
import './styles.css';

applyTheme();

/** Returns whether a retry would fail with the same error. */
const isFinal = (error: Error) => error instanceof ApiError && error.status >= 400 && error.status < 500;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: 'always',
      staleTime: 1_000,
      refetchOnWindowFocus: true,
      retry: (count, error) => count < 1 && !isFinal(error),
    },
    mutations: { networkMode: 'always' },
  },
});

const task = /\/tasks\/([\da-f-]{36})$/.exec(location.pathname)?.[1];
// The task page is the largest screen. Its code and its task are loaded while the page identifies the user.
if (task !== undefined) {
  void import('./screens/task/task.tsx');
  void import('./screens/task/use-task.ts').then(({ prefetchTask }) => prefetchTask(queries, task));
}

createRoot(document.getElementById('page')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <BrowserRouter basename={ROOT.pathname.replace(/\/$/, '')}>
        <LiveProvider>
          <ConnectionProvider>
            <MeProvider login={(ended) => <Login ended={ended} />} away={(error) => <Away error={error} />}>
              <StreamProvider>
                <App />
              </StreamProvider>
            </MeProvider>
          </ConnectionProvider>
        </LiveProvider>
      </BrowserRouter>
    </QueryClientProvider>
  </StrictMode>,
);
