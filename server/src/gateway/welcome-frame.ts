import type { WelcomeFrame } from '@respark/protocol';
import type { Admission } from '../domain/players/players.ts';

/** What a player is told of what the server expects, beside the lifetime of tokens. */
export interface WelcomeSettings {
  readonly heartbeatMs: number;
  readonly maxFrameBytes: number;
  readonly maxRequestsInFlight: number;
  readonly messagesPerSecond: number;
  readonly messagesBurst: number;
  readonly bytesPerSecond: number;
  readonly bytesBurst: number;
  readonly playerTokenLifetimeMs: number;
}

/** What a player is told when the connection opens. */
export function welcomeFrame(
  connectionId: string,
  { player, session }: Pick<Admission, 'player' | 'session'>,
  settings: WelcomeSettings,
): WelcomeFrame {
  const { heartbeatMs, maxFrameBytes, messagesPerSecond, messagesBurst, maxRequestsInFlight } = settings;
  const { bytesPerSecond, bytesBurst } = settings;
  return {
    kind: 'welcome',
    playerId: player.playerId,
    connectionId,
    heartbeatMs,
    maxFrameBytes,
    messagesPerSecond,
    messagesBurst,
    bytesPerSecond,
    bytesBurst,
    maxRequestsInFlight,
    tokenLifetimeMs: session?.lifetimeMs ?? settings.playerTokenLifetimeMs,
  };
}
