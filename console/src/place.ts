import { route } from './route.ts';
import { signal } from './store.ts';

/** The game and the stage that are looked at, which stay when another page is opened. */
export interface Place {
  readonly game: string;
  readonly stage: string;
}

export const place = signal<Place>(read());

function read(): Place {
  const { game = '', stage = '' } = route.get().query;
  return { game, stage: game === '' ? '' : stage };
}

route.subscribe(() => {
  const { game, stage } = read();
  const before = place.get();
  if (game !== '' && (game !== before.game || stage !== before.stage)) place.set({ game, stage });
});
