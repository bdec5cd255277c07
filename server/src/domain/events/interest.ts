/** The games of which somebody wants to hear: those with a webhook, and those that are watched. */
export interface Interest {
  /** The id of the game if somebody wants to hear of it. */
  find(gameName: string): string | undefined;
  /** Says which games there are: name → id. */
  set(games: ReadonlyMap<string, string>): void;
  /** Adds one. The next `set` but one may take it away again. */
  add(game: { readonly name: string; readonly id: string }): void;
}

export function createInterest(): Interest {
  let wanted: ReadonlyMap<string, string> = new Map();
  /** What was added lately, which the next two `set`s may not know yet. */
  const added = new Map<string, { readonly id: string; sets: number }>();
  return {
    find: (gameName) => wanted.get(gameName),
    set(games) {
      const all = new Map(games);
      for (const [name, recent] of added) {
        all.set(name, recent.id);
        recent.sets += 1;
        if (recent.sets === 2) added.delete(name);
      }
      wanted = all;
    },
    add({ name, id }) {
      added.set(name, { id, sets: 0 });
      wanted = new Map([...wanted, [name, id]]);
    },
  };
}
