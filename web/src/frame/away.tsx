import { Heading, Problem } from '../parts/controls.tsx';

/** Shown while the server does not answer the first requests of the page, such as during its start. */
export function Away({ error }: { error: Error }) {
  return (
    <main className="mx-auto mt-[16vh] w-[480px] max-w-[calc(100vw-32px)]">
      <img src="icon.svg" alt="" width="32" height="32" className="mb-4" />
      <Heading title="Waiting for the server" answer="The page asks again every few seconds, and opens by itself." />
      <Problem error={error} />
    </main>
  );
}
