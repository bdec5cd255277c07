import { fileOf } from './game-document.ts';
import { createSnapshot, deploy } from './publishing.ts';
import { scriptedGame } from './scripted-game.ts';
import type { TestPlayer, TestServer } from './server.ts';

const KEEP = `
  var player = GameSparks().CurrentPlayer();
  player.SetData({ level: 7, name: 'Zoë', 'a "key"': { list: [1.5, null, true] } });
  return GameSparks().Messaging().Response({});`;
const FILL = `
  for (var at = 0; at < 60; at += 1) {
    var values = {};
    values['k' + at] = new Array(4000).join('x');
    GameSparks().CurrentPlayer().SetData(values);
  }
  return GameSparks().Messaging().Response({});`;
const COUNT = `
  var player = GameSparks().CurrentPlayer();
  player.SetData({ count: (player.GetData(['count']).count || 0) + 1 });
  return GameSparks().Messaging().Response({});`;

const HOSTILE = `
  GameSparks().CurrentPlayer().SetData({ '\\u202e<b>': '<img src=x onerror=alert(1)>' });
  return GameSparks().Messaging().Response({});`;

/** What `Keep` keeps, and how many bytes that are. */
export const KEPT = { level: 7, name: 'Zoë', 'a "key"': { list: [1.5, null, true] } };
export const KEPT_BYTES = Buffer.byteLength('level7name"Zoë"a "key"{"list":[1.5,null,true]}');

/** Deploys a game whose requests keep a little about a player, as much as has several pages, how often they came, or markup. */
export async function deployKeeping(server: TestServer): Promise<void> {
  const scripts = { Keep: KEEP, Fill: FILL, Count: COUNT, Hostile: HOSTILE };
  const requests = Object.fromEntries(Object.entries(scripts).map(([name, script]) => [name, { script }]));
  await deploy(server, await createSnapshot(server, fileOf(scriptedGame({ requests }))));
}

let asked = 0;

/** Sends a request, and gives the kind of its answer. */
export async function play(player: TestPlayer, name: 'Keep' | 'Fill' | 'Count' | 'Hostile'): Promise<string> {
  asked += 1;
  const id = `${asked}`;
  const answered = player.next((frame) => 'id' in frame && frame.id === id);
  player.request(id, `Custom.Game.${name}`);
  return (await answered).kind;
}
