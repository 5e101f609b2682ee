import { defineConfig } from "vite";

// Everything is addressed from the page's own folder, so that the site can lie anywhere on a host.
export default defineConfig({
  base: "./",
  // ONNX Runtime's WebAssembly comes packed, from public/runtime: see scripts/pack_runtime.mjs.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "browser", "module", "import", "default"] },
  worker: { format: "es" },
  build: {
    target: "es2022",
    outDir: "../src/latentloop/web_page",
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { index: "index.html", service_worker: "src/service_worker.ts" },
      output: {
        // The service worker's name must stay: browsers look there for a new version.
        entryFileNames: ({ name }) => (name === "service_worker" ? "service_worker.js" : "assets/[name]-[hash].js"),
      },
    },
  },
});
