// Draws the face small while a slider moves, and tells once it rests. Run by Gradio in the component of the face.
// The newest values are asked for as soon as the face of older ones is there; those between are left out.
const REST = 250; // milliseconds after which a slider that does not move is at rest
const SEEN = 100; // milliseconds that its face was there by then: who steps with a key waits for that
let wanted = null;
let drawn = null;
let moves = 0;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function draw() {
  while (wanted) {
    const values = wanted;
    wanted = null;
    try {
      props.value = await server.preview(values);
    } catch {
      break; // the server has ended, which the page says by itself
    }
  }
  drawn = null;
}

document.addEventListener("latentloop-moved", async (event) => {
  const move = ++moves;
  wanted = event.detail;
  drawn ??= draw();
  await Promise.all([pause(REST), drawn.then(() => pause(SEEN))]);
  if (move === moves) trigger("rest");
});
