import { Component, type ReactNode } from 'react';
import { Button, Empty, Heading } from '../parts/controls.tsx';

interface ScreenFailureProps {
  children: ReactNode;
}

/** Shows that a screen failed, instead of an empty page. The usual cause is a server with a new version of the page. */
export class ScreenFailure extends Component<ScreenFailureProps, { error: Error | undefined }> {
  override state: { error: Error | undefined } = { error: undefined };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <>
        <Heading title="This screen cannot be shown" />
        <Empty title="Reload the page">
          The server may have a new version of it, or the connection was lost. Nothing was changed.
          <p className="mt-3 font-mono text-xs break-words text-faint">{error.message}</p>
          <p className="mt-4">
            <Button look="primary" onClick={() => location.reload()}>
              Reload
            </Button>
          </p>
        </Empty>
      </>
    );
  }
}
