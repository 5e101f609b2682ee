// Measure faces by the age, gender and expression networks of face-api, which share nothing with our generators or
// directions.
//
//     npm install @vladmandic/face-api@1.7.15 @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 pngjs
//     node attribute_scores.cjs PICTURES faces.csv      # from the folder where they are installed
//
// writes a row for each PNG of a folder. Age is in years; the others are logits, `male` that of male less female.
// Pictures must be aligned as in FFHQ: every face is cropped in the same place.
const fs = require("fs");
const path = require("path");
const { createRequire } = require("module");
const installed = createRequire(path.join(process.cwd(), "package.json"));
const tf = installed("@tensorflow/tfjs");
const wasm = installed("@tensorflow/tfjs-backend-wasm");
const { PNG } = installed("pngjs");
const api = installed("@vladmandic/face-api/dist/face-api.node-wasm.js");

const EXPRESSIONS = ["neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised"];
const FACE = { top: 0.2, left: 0.17, height: 0.74, width: 0.66 }; // of an FFHQ-aligned picture

function read(file) {
  const { data, width, height } = PNG.sync.read(fs.readFileSync(file));
  const crop = [FACE.top * height, FACE.left * width, FACE.height * height, FACE.width * width].map(Math.round);
  return tf.tidy(() =>
    tf.tensor3d(new Uint8Array(data), [height, width, 4]).slice([crop[0], crop[1], 0], [crop[2], crop[3], 3]).toFloat(),
  );
}

async function scores(file) {
  const face = read(file);
  const input = await api.toNetInput(face);
  const { age, gender } = api.nets.ageGenderNet.runNet(input);
  const expression = api.nets.faceExpressionNet.runNet(input);
  const [male, female] = gender.dataSync();
  const row = [age.dataSync()[0], male - female, ...expression.dataSync()];
  tf.dispose([face, age, gender, expression]);
  return row.map((score) => score.toFixed(4));
}

async function main(folder, out) {
  wasm.setWasmPaths(path.dirname(installed.resolve("@tensorflow/tfjs-backend-wasm")) + path.sep);
  await tf.setBackend("wasm");
  const models = path.join(path.dirname(installed.resolve("@vladmandic/face-api/package.json")), "model");
  await api.nets.ageGenderNet.loadFromDisk(models);
  await api.nets.faceExpressionNet.loadFromDisk(models);
  const rows = [["file", "age", "male", ...EXPRESSIONS]];
  for (const name of fs.readdirSync(folder).filter((name) => name.endsWith(".png")).sort())
    rows.push([name, ...(await scores(path.join(folder, name)))]);
  fs.writeFileSync(out, rows.map((row) => row.join(",")).join("\n") + "\n");
}

main(...process.argv.slice(2));
