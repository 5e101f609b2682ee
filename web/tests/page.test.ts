import { afterEach, expect, test, vi } from "vitest";
import { Latest } from "../src/page/latest";
import { startWorker } from "../src/page/worker_client";

afterEach(() => vi.unstubAllGlobals());

test("questions after a worker's error are answered with it", async () => {
  const worker = Object.assign(new EventTarget(), { postMessage: () => undefined });
  vi.stubGlobal("Worker", function () {
    return worker;
  });
  const workshop = startWorker(() => undefined);
  const before = workshop.warmUp();
  worker.dispatchEvent(Object.assign(new Event("error"), { message: "no memory" }));
  await expect(before).rejects.toThrow("no memory");
  await expect(workshop.warmUp()).rejects.toThrow("no memory");
});

test("what is held begins when it is released, and not at all once it is dropped", async () => {
  const [latest, done] = [new Latest(), [] as string[]];
  const work = (name: string) => async () => void done.push(name);
  latest.hold();
  latest.ask(work("dropped"));
  latest.clear();
  latest.ask(work("asked"));
  latest.then(work("after"));
  await Promise.resolve();
  expect(done).toEqual([]);
  latest.release();
  await vi.waitFor(() => expect(done).toEqual(["asked", "after"]));
});
