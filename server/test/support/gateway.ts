import { encode, type HelloFrame } from '@respark/protocol';
import { LocalCluster } from '../../src/cluster/local.ts';
import type { Players } from '../../src/domain/players/players.ts';
import type { GameAnswers } from '../../src/domain/runtime/game-answers.ts';
import { createRuntimes } from '../../src/domain/runtime/runtimes.ts';
import type { Connection } from '../../src/gateway/connection.ts';
import { Gateway, type GatewaySettings } from '../../src/gateway/gateway.ts';
import { Limits } from '../../src/gateway/limits.ts';
import type { PlayerSocket, SocketProof, TextFrame } from '../../src/gateway/player-socket.ts';
import type { Log } from '../../src/log.ts';
import { createSystemRandom } from '../../src/random.ts';
import { EMPTY_RUNTIME_ID } from '../../src/runtime-id.ts';
import { NO_TOKEN } from './bars.ts';
import { NO_ANSWERS } from './cloud-code.ts';
import { ManualClock } from './manual-clock.ts';
import { NO_METRICS } from './metrics.ts';

const STAGE = { stageId: 'stage-1', gameName: 'Demo', stageName: 'Dev' };
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };
const MANY = 1_000_000;

const SETTINGS: GatewaySettings = {
  authTimeoutMs: 5_000,
  heartbeatMs: 1_000,
  closeFlushMs: 250,
  closeGraceMs: 2_000,
  drainConnectionsPerSecond: 0,
  maxConnectionsPerPlayer: 2,
  whenPlayerFull: 'refuse',
  probeTimeoutMs: 2_000,
  maxFrameBytes: 65_536,
  maxOutboxBytes: 1_000_000,
  outboxMemoryBytes: 10_000_000,
  maxRequestsInFlight: 4,
  messagesPerSecond: 1,
  messagesBurst: 1,
  bytesPerSecond: MANY,
  bytesBurst: MANY,
  playerTokenLifetimeMs: 60_000,
};

/** A player's WebSocket that writes down what the server does to it, with the time. Its peer does nothing by itself. */
export class FakeSocket implements PlayerSocket {
  readonly #clock: ManualClock;
  readonly did: string[] = [];
  bufferedBytes = 0;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  send(text: string): void {
    this.#note(JSON.parse(text).kind);
  }

  ping(): void {
    this.#note('ping');
  }

  close(code: number, reason: string, settle: (proof: SocketProof) => void, last?: TextFrame): void {
    if (last !== undefined) this.#note(JSON.parse(last.text).type);
    this.#note(`close ${code} ${reason}`);
    settle('close_frame_accepted');
  }

  silence(): void {
    this.#note('silence');
  }

  destroy(): void {
    this.#note('destroy');
  }

  #note(what: string): void {
    this.did.push(`${this.#clock.monotonic()} ${what}`);
  }
}

/** A gateway without a network: the token of a hello is simply the player's id. */
export function openGateway({
  settings = {},
  log = SILENT,
  answers = NO_ANSWERS,
  ...overrides
}: {
  settings?: Partial<GatewaySettings>;
  log?: Log;
  answers?: GameAnswers;
  admit?: Players['admit'];
  forgetStage?: Players['forgetStage'];
} = {}) {
  const clock = new ManualClock();
  const random = createSystemRandom();
  const cluster = new LocalCluster({ clock, random });
  const runtimes = createRuntimes({ renewToken: NO_TOKEN, answers, log: SILENT });
  const players: Pick<Players, 'admit' | 'forgetStage'> = {
    forgetStage() {},
    admit: async ({ token = 'guest' }: HelloFrame) => ({
      isAdmitted: true,
      player: { stageId: STAGE.stageId, playerId: token, gameId: 'game-1', signedInAt: 0 },
      runtime: { id: EMPTY_RUNTIME_ID, stage: STAGE },
    }),
    ...overrides,
  };
  const gateway = new Gateway({
    players,
    runtimes,
    cluster,
    limits: new Limits({ settings: UNLIMITED, clock }),
    clock,
    random,
    log,
    metrics: NO_METRICS,
    settings: { ...SETTINGS, ...settings },
  });
  return {
    clock,
    cluster,
    gateway,
    runtimes,
    /** A socket that has said its hello; the code that this has set off has come to rest. */
    async connect(token: string): Promise<{ socket: FakeSocket; connection: Connection }> {
      const socket = new FakeSocket(clock);
      const connection = gateway.accept(socket, '127.0.0.1');
      connection.receive(encode({ kind: 'hello', gameKey: 'key', token }));
      await rest();
      return { socket, connection };
    },
  };
}

/** Resolves when code that waits for nothing but other code has come to rest. */
export function rest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const UNLIMITED = {
  handshakesPerSecond: MANY,
  messagesPerSecondPerAddress: MANY,
  messagesBurstPerAddress: MANY,
  bytesPerSecondPerAddress: MANY,
  bytesBurstPerAddress: MANY,
  handshakesPerSecondPerAddress: MANY,
  maxUnauthenticated: MANY,
  maxUnauthenticatedPerAddress: MANY,
  maxConnections: MANY,
  maxConnectionsPerAddress: MANY,
};
