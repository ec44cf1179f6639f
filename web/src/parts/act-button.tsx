import { type ComponentProps, type ReactNode, useState } from 'react';
import { useLacking } from '../api/me.tsx';
import { useRoutes } from '../api/routes.ts';
import { type Act, ActDialog } from './act-dialog.tsx';
import { Button, Empty, Panel } from './controls.tsx';

interface ActButtonProps extends ComponentProps<typeof Button> {
  /** The route of the action, such as `POST /v1/schedules/{name}/pause`. */
  route: string;
  /** The target of the action, if the page has several buttons for the action. */
  target?: string | undefined;
  /** The dialog to show before the action runs. Without it, `onClick` opens its own dialog. */
  act?: Act;
}

/**
 * A button for an action. It shows the permission that the user lacks for the action, and is absent if the server has
 * no such route.
 */
export function ActButton({ route, target, act, ...rest }: ActButtonProps) {
  const [open, setOpen] = useState(false);
  const lacking = useLacking()(route);
  const served = useRoutes()?.has(route);
  if (!served) return null;
  return (
    <>
      <Button
        data-act={route}
        title={target}
        {...(act && { onClick: () => setOpen(true) })}
        {...rest}
        lacking={lacking}
      />
      {act && open && <ActDialog act={act} onClose={() => setOpen(false)} />}
    </>
  );
}

/** Shows its content only to users who may read a route. Other users see the permission that they lack. */
export function Readable({ route, children }: { route: string; children: ReactNode }) {
  const lacking = useLacking()(route);
  if (lacking === undefined) return children;
  return (
    <Panel>
      <Empty title={`This needs the permission ${lacking}`}>
        Ask an operator for a key or a role that has it. Settings shows which role has which permission.
      </Empty>
    </Panel>
  );
}
