import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The server that `vite` proxies to while the page is developed. */
const SERVER = 'http://127.0.0.1:8080';

export default defineConfig({
  // Relative, because the page does not know the path prefix that a proxy puts in front of it.
  base: './',
  plugins: [react(), tailwindcss()],
  build: {
    outDir: '../assets/web',
    emptyOutDir: true,
    assetsDir: 'files',
    // The content security policy has no data: for scripts, styles and fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    rolldownOptions: { checks: { pluginTimings: false } },
    chunkSizeWarningLimit: 900,
  },
  server: { proxy: { '/v1': SERVER, '/api-docs': SERVER, '/health': SERVER } },
});
