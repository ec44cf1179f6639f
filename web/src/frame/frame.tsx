import { Suspense, useState } from 'react';
import { Outlet, useLocation } from 'react-router';
import { useZone } from '../parts/zone.ts';
import { ConnectionBanner } from './connection.tsx';
import { KeysHelp, useKeys } from './keys.tsx';
import { Palette } from './palette.tsx';
import { Rail } from './rail.tsx';
import { ScreenFailure } from './screen-failure.tsx';
import { TopBar } from './top-bar.tsx';

/** The frame around every screen: the navigation, the top bar, and the dialogs that keys open. */
export function Frame() {
  const [overlay, setOverlay] = useState<'palette' | 'keys'>();
  const [menu, setMenu] = useState(false);
  const { choice } = useZone();
  const { pathname } = useLocation();
  const close = () => setOverlay(undefined);
  useKeys({ onPalette: () => setOverlay('palette'), onHelp: () => setOverlay('keys') });
  return (
    <div className="flex min-h-screen">
      <button
        type="button"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-40 focus:rounded-md focus:border focus:border-edge focus:bg-raised focus:px-3 focus:py-1.5"
        onClick={() => document.getElementById('main')?.focus()}
      >
        Skip to the content
      </button>
      <Rail open={menu} onClose={() => setMenu(false)} />
      <div className="min-w-0 grow">
        <TopBar onPalette={() => setOverlay('palette')} onMenu={() => setMenu(true)} />
        <ConnectionBanner />
        <main key={choice} id="main" tabIndex={-1} className="mx-auto max-w-[1360px] px-4 py-6 outline-none sm:px-6">
          <ScreenFailure key={pathname}>
            <Suspense fallback={null}>
              <Outlet />
            </Suspense>
          </ScreenFailure>
        </main>
      </div>
      {overlay === 'palette' && <Palette onClose={close} />}
      {overlay === 'keys' && <KeysHelp onClose={close} />}
    </div>
  );
}
