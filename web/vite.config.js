// Builds the page that the binary embeds: hashed files under assets/, no source maps, nothing inline.
import { createHash } from 'node:crypto';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [fontsAsFiles()],
  build: {
    target: 'es2022',
    // Monaco in one file is expected; it is served from memory by the host that the page came from.
    chunkSizeWarningLimit: 4096,
    // A data: address would need a hole in the Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The notices of everything in the bundle, for whoever packages the binary.
    license: { fileName: 'licenses.md' },
    // "use client" in a dependency means nothing here.
    rolldownOptions: { checks: { moduleLevelDirective: false } },
  },
  worker: { format: 'es' },
  server: {
    proxy: {
      '/graphql': 'http://127.0.0.1:4000',
      '/schema.graphql': 'http://127.0.0.1:4000',
    },
  },
});

// GraphiQL's style sheet carries its fonts as data: addresses. As files they fit `font-src 'self'`,
// are stored once, and the browser fetches only the alphabets that it shows.
function fontsAsFiles() {
  return {
    name: 'fonts-as-files',
    apply: 'build',
    generateBundle(_options, bundle) {
      for (const sheet of Object.values(bundle).filter(({ fileName }) => fileName.endsWith('.css'))) {
        sheet.source = String(sheet.source).replace(
          /data:font\/(\w+);base64,([A-Za-z0-9+/=]+)/g,
          (_address, type, base64) => {
            const source = Buffer.from(base64, 'base64');
            const hash = createHash('sha256').update(source).digest('base64url').slice(0, 8);
            const fileName = `assets/font-${hash}.${type}`;
            this.emitFile({ type: 'asset', fileName, source });
            return `/${fileName}`;
          },
        );
      }
    },
  };
}
