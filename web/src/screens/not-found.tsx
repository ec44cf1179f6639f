import { Link } from 'react-router';
import { Empty, Heading } from '../parts/controls.tsx';

export function NotFound() {
  return (
    <>
      <Heading title="Page not found" />
      <Empty title="Page not found">
        <Link to="/" className="text-accent underline">
          Go to Home
        </Link>
      </Empty>
    </>
  );
}
