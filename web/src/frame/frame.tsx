import { Suspense, useState } from 'react';
import { Outlet } from 'react-router';
import { useZone } from '../parts/zone.ts';
import { Connection } from './connection.tsx';
import { KeysHelp, useKeys } from './keys.tsx';
import { Palette } from './palette.tsx';
import { Rail } from './rail.tsx';
import { TopBar } from './top-bar.tsx';

/** The frame around every screen: the navigation, the top bar, and the dialogs that keys open. */
export function Frame() {
  const [overlay, setOverlay] = useState<'palette' | 'keys'>();
  const [menu, setMenu] = useState(false);
  const { choice } = useZone();
  const close = () => setOverlay(undefined);
  useKeys({ onPalette: () => setOverlay('palette'), onHelp: () => setOverlay('keys') });
  return (
    <div className="flex min-h-screen">
      <Rail open={menu} onClose={() => setMenu(false)} />
      <div className="min-w-0 grow">
        <TopBar onPalette={() => setOverlay('palette')} onMenu={() => setMenu(true)} />
        <Connection />
        <main key={choice} className="mx-auto max-w-[1360px] px-4 py-6 sm:px-6">
          <Suspense fallback={null}>
            <Outlet />
          </Suspense>
        </main>
      </div>
      {overlay === 'palette' && <Palette onClose={close} />}
      {overlay === 'keys' && <KeysHelp onClose={close} />}
    </div>
  );
}
