/** Work that follows what a user does, of which only the latest counts. */

type Work = () => Promise<void>;

/** Runs one piece of work at a time; while it runs, the newest wish waits and older ones are dropped. */
export class Latest {
  private running = false;
  private held = false;
  private next: Work | null = null;
  private later: Work | null = null;

  /** Do this now, or after what is being done, unless something newer comes; what should follow earlier work does not. */
  ask(work: Work): void {
    [this.next, this.later] = [work, null];
    if (!this.running) void this.run();
  }

  /** Do this after what was asked for. */
  then(work: Work): void {
    this.later = work;
    if (!this.running) void this.run();
  }

  /** Drop what waits. */
  clear(): void {
    [this.next, this.later] = [null, null];
  }

  /** Begin nothing more until it is released. */
  hold(): void {
    this.held = true;
  }

  /** Go on with what waits. */
  release(): void {
    this.held = false;
    if (!this.running) void this.run();
  }

  private async run(): Promise<void> {
    this.running = true;
    for (let work = this.taken(); work; work = this.taken()) await work();
    this.running = false;
  }

  private taken(): Work | null {
    if (this.held) return null;
    const work = this.next ?? this.later;
    if (this.next) this.next = null;
    else this.later = null;
    return work;
  }
}
