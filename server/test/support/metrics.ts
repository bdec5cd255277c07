import type { Metrics } from '../../src/metrics.ts';

/** For tests that count nothing. */
export const NO_METRICS: Metrics = {
  ofStage: () => ({ opened() {}, stopped() {}, handled() {} }),
  forgetStage() {},
  closed() {},
  refused() {},
  slowClose() {},
  outbox() {},
  disconnected() {},
  called() {},
  throttled() {},
  authFailed() {},
  auditFailed() {},
  events: { emitted() {}, lost() {}, delivered() {}, switchedOff() {} },
  cluster: { directoryCalled() {}, linkLost() {}, eraChanged() {}, leaseEnded() {} },
  totals: () => ({ connections: 0, opened: 0, messages: 0, failed: 0, disconnected: 0, durations: [] }),
  render: async () => ({ contentType: 'text/plain', text: '' }),
  close() {},
};
