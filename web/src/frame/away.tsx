import { Heading, Problem } from '../parts/controls.tsx';

/** Shown while the server does not respond to the first requests of the page, for example while the server starts. */
export function Away({ error }: { error: Error }) {
  return (
    <main className="mx-auto mt-[16vh] w-[480px] max-w-[calc(100vw-32px)]">
      <img src="icon.svg" alt="" width="32" height="32" className="mb-4" />
      <Heading title="Waiting for the server" answer="The page opens when the server responds." />
      <Problem error={error} />
    </main>
  );
}
