/**
 * Publishes a folder now and whenever it has changed, until it is over. An editor may be in the middle of writing, so a
 * change counts only when two looks in a row have seen the same. The look comes before `publish` reads the files: what
 * is saved in between is another change.
 */
export async function watchFolder({
  look,
  publish,
  pause,
  isOver,
}: {
  /** A text that is another one whenever the files, or something else that makes publishing necessary, have changed. */
  look: () => Promise<string>;
  /** Resolves to whether this is done, and need not be tried again. */
  publish: () => Promise<boolean>;
  pause: () => Promise<void>;
  isOver: () => boolean;
}): Promise<void> {
  let seen: string | undefined;
  let published: string | undefined;
  while (!isOver()) {
    const now = await look();
    if (now === seen && now !== published && (await publish())) published = now;
    seen = now;
    await pause();
  }
}
