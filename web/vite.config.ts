import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** The server that `vite` proxies to while the page is developed. */
const SERVER = 'http://127.0.0.1:8080';

/** Keeps scripts and styles only in compressed form: an install is then 0.5 MB smaller. */
const compressed: Plugin = {
  name: 'compressed',
  apply: 'build',
  writeBundle({ dir = '' }, bundle) {
    for (const name of Object.keys(bundle)) {
      if (!/\.(js|css)$/.test(name)) continue;
      const file = path.join(dir, name);
      writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
      rmSync(file);
    }
  },
};

export default defineConfig({
  // Relative, because the page does not know the path prefix that a proxy puts in front of it.
  base: './',
  plugins: [react(), tailwindcss(), compressed],
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
