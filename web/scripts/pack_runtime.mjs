// Packs ONNX Runtime's WebAssembly for the page, which unpacks it with DecompressionStream: hosts of plain files often
// send .wasm files as they are, which is four times as much. The endings are .bin and .js, so that no host changes the
// content on its way or gives it a type that browsers refuse.
import { createRequire } from "node:module";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

const FILES = { wasm: "ort-wasm-simd-threaded", webgpu: "ort-wasm-simd-threaded.asyncify" };
const source = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
const here = dirname(import.meta.dirname);
const target = join(here, "public", "runtime");

await mkdir(target, { recursive: true });
for (const [engine, file] of Object.entries(FILES)) {
  const binary = await readFile(join(source, `${file}.wasm`));
  await writeFile(join(target, `${engine}.bin`), gzipSync(binary, { level: 9 }));
  await copyFile(join(source, `${file}.mjs`), join(target, `${engine}.js`));
}
