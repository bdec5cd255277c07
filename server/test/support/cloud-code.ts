import assert from 'node:assert/strict';
import type { CloudCode } from '../../src/app/services.ts';
import type { Blocking } from '../../src/domain/players/bars/blocking.ts';
import type { ProviderTokens } from '../../src/domain/players/provider-tokens.ts';
import type { GameAnswers } from '../../src/domain/runtime/game-answers.ts';

const refuse = () => Promise.reject(new Error('this test runs no scripts'));

/** For what never deploys anything. */
export const NO_CLOUD_CODE: CloudCode = {
  sandbox: { prepare: refuse, invoke: refuse, dropped() {}, close: refuse },
  playerData: {
    ...{ get: refuse, page: refuse, set: refuse, remove: refuse, close: refuse },
    removeStage: async () => {},
  },
  stageLogs: { append: refuse, read: refuse, remove: async () => {}, close: refuse },
  outside: {
    invokeLambda: refuse,
    getItem: refuse,
    putItem: refuse,
    updateItem: refuse,
    deleteItem: refuse,
    query: refuse,
    fetch: refuse,
  },
};

export const NO_ANSWERS: GameAnswers = {
  request: refuse,
  override: refuse,
  event: refuse,
  dropped() {},
  settled: async () => {},
  prepare: async () => {},
};

/** For stages without identity providers. */
export const NO_PROVIDERS: ProviderTokens = { verify: refuse };

/** For players whom nobody blocks. */
export const NO_BLOCKING: Pick<Blocking, 'termsOf' | 'farewell' | 'block'> = {
  termsOf: () => assert.fail(),
  farewell: () => assert.fail(),
  block: refuse,
};
