/** The handlers of the cloud-code scenarios. Each answers with the text that it was sent, besides what it does. */
export type HandlerName = keyof typeof SCRIPTS;

/** What the players' messages say, so that an answer can be known by it: 64 characters, as of a small command. */
export const TEXT = 'move to 12,34 and then wait for the others at the northern gate.';

/** How many players one Notify sends something to. */
export const NOTIFIED_PLAYERS = 50;
/** The players whom Notify may notify have this prefix, and are counted from 0. */
export const PLAYER_PREFIX = 'player-';
export const NOTIFICATION = 'Moved';

/**
 * The bodies of the handlers, as a studio would write them. The peers have the same in `peers/handlers.ts` and
 * `colyseus-018/server.ts`, as code of their own process.
 */
export const SCRIPTS = {
  Echo: 'return GameSparks().Messaging().Response({ Text: message.Text });',
  Save: `
    GameSparks().CurrentPlayer().SetData({ Gold: 5 });
    return GameSparks().Messaging().Response({ Text: message.Text });`,
  Data: `
    const { Gold = 0 } = GameSparks().CurrentPlayer().GetData(['Gold']);
    return GameSparks().Messaging().Response({ Text: message.Text, Gold });`,
  Wait: `
    const { Payload } = GameSparks().Lambda('Wait').Invoke({});
    return GameSparks().Messaging().Response({ Text: message.Text, Gold: Payload.Gold });`,
  Notify: `
    const me = GameSparks().CurrentPlayer().Id();
    const first = Number(me.slice('${PLAYER_PREFIX}'.length));
    for (let i = 0; i < ${NOTIFIED_PLAYERS}; i += 1) {
      const player = '${PLAYER_PREFIX}' + ((first + i) % message.Players);
      GameSparks().Messaging().SendNotification('${NOTIFICATION}', { From: me }, player);
    }
    return GameSparks().Messaging().Response({ Text: message.Text });`,
  Loop: 'for (;;) {}',
} as const;

/** The payload of a message to a handler, while this many players are there. */
export function payloadFor(players: number): { readonly Text: string; readonly Players: number } {
  return { Text: TEXT, Players: players };
}

/** A configuration with these handlers and as many more, each of about a kilobyte, as a file that Respark imports. */
export function gameDocument({ fillers = 0, version = 0 }: { fillers?: number; version?: number } = {}): string {
  const filler = `/* ${version} */ let sum = 0;\n${'for (let i = 0; i < 9; i += 1) sum += i * (i - 1);\n'.repeat(20)}return sum;`;
  const scripts: [string, string][] = Object.entries(SCRIPTS);
  for (let index = 0; index < fillers; index += 1) scripts.push([`Filler${index}`, filler]);
  const ofEach = <T>(value: (script: string) => T) =>
    Object.fromEntries(scripts.map(([name, script]) => [name, value(script)]));
  const field = (Shape: string, Cardinality: string) => ({ Shape, Cardinality });
  const structure = (Fields: object) => ({ Structure: { Fields } });
  const sections = {
    'GameSparks.Core.Model': {
      Asked: structure({ Text: field('String', 'Required'), Players: field('Integer', 'Required') }),
      Answered: structure({ Text: field('String', 'Required'), Gold: field('Integer', 'Optional') }),
      [NOTIFICATION]: structure({ From: field('String', 'Required') }),
    },
    'GameSparks.Core.Requests': ofEach(() => ({
      AllowedSources: ['Player'],
      RequestShape: 'Asked',
      ResponseShape: 'Answered',
    })),
    'GameSparks.Core.RequestHandlers': ofEach((Script) => ({
      Enabled: true,
      Code: { Script, ScriptLanguage: 'Javascript_ES5_1' },
    })),
    'GameSparks.Core.Notifications': { [NOTIFICATION]: { NotificationShape: NOTIFICATION } },
  };
  return JSON.stringify({ Document: { Type: 'Game', Sections: sections } });
}
