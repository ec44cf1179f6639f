import { type ComponentProps, type ReactNode, useState } from 'react';
import { useLacking } from '../api/me.tsx';
import { type Method, type OtherRoute, routeOf } from '../api/routes.ts';
import { type Act, ActDialog } from './act-dialog.tsx';
import { Button, Empty, Panel } from './controls.tsx';

interface ActButtonProps extends ComponentProps<typeof Button> {
  /** The method that carries out the action. */
  method: Method;
  /** The target of the action, if the page has several buttons for the action. */
  target?: string | undefined;
  /** The dialog to show before the action runs. Without it, `onClick` opens its own dialog. */
  act?: Act;
}

/** A button for an action. It shows the permission that the user lacks for the action. */
export function ActButton({ method, target, act, ...rest }: ActButtonProps) {
  const [open, setOpen] = useState(false);
  const lacking = useLacking()(method);
  return (
    <>
      <Button
        data-act={routeOf(method)}
        title={target}
        {...(act && { onClick: () => setOpen(true) })}
        {...rest}
        lacking={lacking}
      />
      {act && open && <ActDialog act={act} onClose={() => setOpen(false)} />}
    </>
  );
}

/** Shows its content only to users who may call a method. Other users see the permission that they lack. */
export function Readable({ method, children }: { method: Method | OtherRoute; children: ReactNode }) {
  const lacking = useLacking()(method);
  if (lacking === undefined) return children;
  return (
    <Panel>
      <Empty title={`This needs the permission ${lacking}`}>
        Ask an operator for a key or a role that has it. Settings shows which role has which permission.
      </Empty>
    </Panel>
  );
}
