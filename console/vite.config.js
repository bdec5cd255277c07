import { defineConfig } from 'vite';

// The pages are part of the server's package, and the server finds them beside its own program.
export default defineConfig({
  // Relative, so that a proxy may serve the console under a path of its own.
  base: './',
  build: {
    outDir: '../server/dist/console',
    emptyOutDir: true,
    target: 'es2022',
    // A data: URL would be one more thing for the content security policy to allow.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
});
