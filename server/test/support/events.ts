import type { WebhookPost } from '../../src/domain/events/post-webhook.ts';
import type { EventLog } from '../../src/store/events/event-log.ts';

/** For what nobody wants to hear of. */
export const NO_EVENT_LOG: EventLog = {
  append: () => true,
  read: async () => ({ events: [], missed: 0, cursor: 0, isEnd: true }),
  ends: async () => ({ first: 1, last: 0 }),
  positionBefore: async () => 0,
  onMoved: () => () => {},
  removeBefore: async () => {},
  games: async () => [],
  removeGame: async () => {},
  claim: async () => undefined,
  save: async () => false,
  release: async () => {},
  rewind: async () => {},
  removeCursor: async () => {},
  cursors: async () => [],
  watch: async () => {},
  watched: async () => [],
  owners: async () => [],
  endConnections: async () => 0,
  waiting: 0,
  close: async () => {},
};

export const NO_WEBHOOK_POST: WebhookPost = {
  post: () => Promise.reject(new Error('this test sends no webhooks')),
  faultOf: () => undefined,
};
